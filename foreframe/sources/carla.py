"""Driving video from the CARLA simulator, as in Xu 2022, 4.1: its autopilot and a front camera.

Needs the package `carla` and a server of the same version; one server serves one collection at a
time and makes one episode after the other.
"""

import contextlib
import importlib
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Literal

from foreframe.errors import UserError
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode, Stream, carla_process, carla_world, in_blocks
from foreframe.sources.carla_settings import Drive
from foreframe.sources.carla_world import ACTIONS, STATES, Journey, LostError


class Settings(Drive):
    """Settings of the kind `carla`; see `Drive`."""

    kind: Literal["carla"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return `settings.episodes` episodes; the same seed asks the server for the same things.

    `videos` is not read. `workers` is not used: two clients in one world would disturb each other.
    """
    return Stream(ACTIONS, STATES, _episodes(settings, seed, first))


def _episodes(settings: Settings, seed: int, first: int) -> Iterator[Episode]:
    if first >= settings.episodes:
        return
    _refuse_early(settings)
    for number in range(first, settings.episodes):
        generator = numpy_generator(seed, "carla", number)
        journey = Journey(int(generator.integers(1 << 31)), generator)
        blocks = carla_process.whole(partial(_drive, settings, journey))
        yield Episode(f"seed {journey.traffic_seed}", settings.episodes, blocks)


def _refuse_early(settings: Settings) -> None:
    """Find out at once whether there is anything to talk to.

    Raises:
        UserError: the package is missing, nobody answers, or the server is not what is asked for.
    """
    try:
        for _ in carla_process.attempt(partial(_greet, settings)):
            pass
    except LostError as error:
        raise UserError(
            f"No CARLA server answers at {settings.host}:{settings.port} within "
            f"{settings.timeout} s ({error}). Start one (./CarlaUE4.sh -RenderOffScreen) and wait "
            "until it is up; restart one that hangs; or correct source.host, port or timeout."
        ) from None


def _greet(settings: Settings) -> Generator[Block, None, None]:
    carla_world.connect(_library(), settings)
    yield from ()


def _drive(settings: Settings, journey: Journey) -> Generator[Block, None, None]:
    with contextlib.closing(carla_world.record(_library(), settings, journey)) as rows:
        yield from in_blocks(rows)


def _library() -> ModuleType:
    try:
        return importlib.import_module("carla")
    except ImportError as error:
        raise UserError(
            f"The source carla needs CARLA's client, which cannot be loaded ({error}). Install the "
            "version of your server, for example: python -m pip install carla==0.9.16"
        ) from None
