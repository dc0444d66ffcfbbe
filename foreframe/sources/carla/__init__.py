"""Driving video from the CARLA simulator, as in Xu 2022, 4.1: its autopilot and a front camera.

Needs the package `carla` and a server of the same version; one server serves one collection at a
time and makes one episode after the other.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.randomness import numpy_generator
from foreframe.sources import Episode, Stream
from foreframe.sources.carla import client as carla_client
from foreframe.sources.carla import process as carla_process
from foreframe.sources.carla.settings import Drive
from foreframe.sources.carla.world import ACTIONS, STATES, Journey, LostError


class Settings(Drive):
    """Settings of the kind `carla`; see `Drive`."""

    kind: Literal["carla"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return `settings.episodes` episodes; the same seed asks the server for the same things.

    `videos` is not read. `workers` is not used: two clients in one world would disturb each other.
    """
    return Stream(ACTIONS, STATES, _episodes(settings, seed, first))


def journey(seed: int, number: int) -> Journey:
    """Return the random part of episode `number`."""
    generator = numpy_generator(seed, "carla", number)
    return Journey(int(generator.integers(1 << 31)), generator)


def _episodes(settings: Settings, seed: int, first: int) -> Iterator[Episode]:
    if first >= settings.episodes:
        return
    # Of the class that a new process imports in a moment: this module draws in torch.
    drive = Drive.model_validate(settings.model_dump())
    _refuse_early(drive)
    for number in range(first, settings.episodes):
        job = journey(seed, number)
        blocks = carla_process.whole(partial(carla_client.drive, drive, job))
        yield Episode(f"seed {job.traffic_seed}", settings.episodes, blocks)


def _refuse_early(drive: Drive) -> None:
    """Find out at once whether there is anything to talk to.

    Raises:
        UserError: the package is missing, nobody answers, or the server is not what is asked for.
    """
    try:
        for _ in carla_process.attempt(partial(carla_client.greet, drive)):
            pass
    except LostError as error:
        raise UserError(
            f"No CARLA server answers at {drive.host}:{drive.port} within {drive.timeout} s "
            f"({error}). Start one (./CarlaUE4.sh -RenderOffScreen) and wait until it is up; "
            "restart one that hangs; or correct source.host, port or timeout."
        ) from None
