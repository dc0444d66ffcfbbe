"""Driving video from Gymnasium's CarRacing-v3: a new track, driver and seed for every episode.

It stands in for the simulator of Xu 2022, 4.1: CARLA (`source.kind: carla`), which needs a GPU of
its own.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from numpy.typing import NDArray
from pydantic import Field, model_validator

from foreframe.randomness import numpy_generator
from foreframe.sources import (
    BLOCK,
    Block,
    Episode,
    Row,
    SourceSettings,
    Stream,
    in_blocks,
    parallel,
)
from foreframe.sources.car_racing.camera import Camera, Simulator
from foreframe.sources.car_racing.driver import PERIOD, Driver
from foreframe.sources.car_racing.state import STATES, state
from foreframe.sources.car_racing.variety import Look, Variety, draw

ACTIONS = ("steer", "gas", "brake")

# The car starts from rest; the first second shows no driving.
SKIPPED_STEPS = round(1 / PERIOD)


class Settings(SourceSettings):
    """How many episodes, how long, and between which speeds the driver's wishes wander.

    Speeds are in the simulator's units a second (the car is 5.2 long); curves slow the car down.
    """

    kind: Literal["car_racing"]
    episodes: Annotated[int, Field(ge=1)]
    frames_per_episode: Annotated[int, Field(ge=1)]
    speed_low: Annotated[float, Field(ge=5, le=50)]
    speed_high: Annotated[float, Field(ge=5, le=50)]
    variety: Variety

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.speed_low > self.speed_high:
            raise ValueError(
                f"speed_low ({self.speed_low}) is above speed_high ({self.speed_high}). Swap them."
            )
        if self.steps_per_frame < 1 or not math.isclose(
            self.steps_per_frame * PERIOD, self.frame_interval, rel_tol=1e-9
        ):
            raise ValueError(
                f"frame_interval is {self.frame_interval} s, but car_racing moves in steps of "
                f"{PERIOD} s. Choose a multiple of it, such as 0.1."
            )
        return self

    @property
    def steps_per_frame(self) -> int:
        """The number of steps of the simulator from one frame to the next."""
        return round(self.frame_interval / PERIOD)


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return `settings.episodes` episodes; the same seed gives the same bytes for any `workers`.

    `videos` is not read: this source makes its own.
    """
    return Stream(ACTIONS, STATES, _episodes(settings, seed, workers, first))


def _episodes(settings: Settings, seed: int, workers: int, first: int) -> Iterator[Episode]:
    numbers = range(first, settings.episodes)
    jobs = [numpy_generator(seed, "car_racing", number) for number in numbers]
    track_seeds = [int(job.integers(1 << 31)) for job in jobs]
    # Of generators of their own: what an episode looks like changes nothing in how it is driven.
    looks = [
        draw(settings.variety, numpy_generator(seed, "car_racing", number, "look"))
        for number in numbers
    ]
    drives = parallel.in_order(
        partial(_drive, settings),
        list(zip(track_seeds, jobs, looks, strict=True)),
        workers,
        BLOCK * settings.height * settings.width * 3,
    )
    for track_seed, blocks in zip(track_seeds, drives, strict=True):
        yield Episode(f"seed {track_seed}", settings.episodes, blocks)


def _drive(settings: Settings, job: tuple[int, numpy.random.Generator, Look]) -> Iterator[Block]:
    track_seed, generator, look = job
    # A world of its own for each episode: a used one keeps traces of the last.
    simulator = Simulator(look)
    simulator.reset(seed=track_seed)
    track_N2 = numpy.array(simulator.track)[:, 2:]
    # Every track begins with the same straight: start anywhere instead.
    place = int(generator.integers(len(track_N2)))
    simulator.place_car(place)
    driver = Driver(track_N2, place, settings.speed_low, settings.speed_high, generator)
    _step(simulator, driver, SKIPPED_STEPS)
    return in_blocks(_rows(settings, simulator, driver))


def _rows(settings: Settings, simulator: Simulator, driver: Driver) -> Iterator[Row]:
    camera = Camera(simulator, settings.height, settings.width)
    for _ in range(settings.frames_per_episode):
        frame, now = camera.shoot(), _state(simulator, driver)
        yield frame, _step(simulator, driver, settings.steps_per_frame), now


def _state(simulator: Simulator, driver: Driver) -> NDArray[numpy.float64]:
    return state(
        driver.track_N2, driver.place, simulator.position, simulator.angle, simulator.speed
    )


def _step(simulator: Simulator, driver: Driver, steps: int) -> NDArray[numpy.float64]:
    """Drive on and return the mean of the actions, (3,)."""
    taken = []
    for _ in range(steps):
        taken.append(driver.act(simulator.position, simulator.angle, simulator.speed))
        simulator.step(taken[-1])
    return numpy.mean(taken, axis=0)
