"""A short drive for the tests of the source carla, and what it gives."""

from collections.abc import Iterator
from typing import Any

import numpy

from foreframe.sources import Row, carla
from foreframe.sources.carla import world as carla_world
from foreframe.sources.carla.world import Journey
from tests.foreframe.sources.carla_double import Library
from tests.foreframe.sources.carla_double_server import Server

VALUES: dict[str, Any] = {
    "kind": "carla",
    "height": 12,
    "width": 16,
    "frame_interval": 0.2,
    "episodes": 3,
    "frames_per_episode": 3,
    "host": "127.0.0.1",
    "port": 2000,
    "traffic_port": 8000,
    "timeout": 1.0,
    "step": 0.05,
    "warm_up": 0.1,
    "town": "Town03",
    "weather": "random",
    "vehicle": "vehicle.tesla.model3",
    "other_vehicles": 2,
    "camera": {
        "forward": 1.5,
        "right": 0.0,
        "up": 1.6,
        "pitch": -5.0,
        "yaw": 0.0,
        "field_of_view": 90.0,
    },
}


def make(**changes: Any) -> carla.Settings:
    return carla.Settings(**{**VALUES, **changes})


def journey(seed: int = 5) -> Journey:
    return Journey(seed, numpy.random.Generator(numpy.random.Philox(key=seed)))


def record(server: Server, chosen: carla.Settings | None = None, seed: int = 5) -> Iterator[Row]:
    return carla_world.record(Library(server), chosen or make(), journey(seed))


def same(one: list[Row], two: list[Row]) -> bool:
    """Tell whether two drives are equal to the last bit."""
    return len(one) == len(two) > 0 and all(
        numpy.array_equal(a, b)
        for pair in zip(one, two, strict=True)
        for a, b in zip(*pair, strict=True)
    )
