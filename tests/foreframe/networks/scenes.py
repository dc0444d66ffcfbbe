"""What tests of scenes need: small fields, poses and rays."""

from typing import Any

import torch
from torch import Tensor

from foreframe.networks import initialization
from foreframe.networks.poses import NUMBERS, Poses, Reach
from foreframe.networks.radiance import Field, FieldSettings
from foreframe.networks.scene_camera import Camera
from foreframe.networks.scene_rendering import Codes, Fields, March, Scene
from foreframe.randomness import generator

ROWS, OBJECTS, SIDE, FEATURES, SHAPE, APPEARANCE = 2, 3, 6, 5, 4, 3
REACH = Reach(places=(0.8, 0.8, 0.8), lift=0.0, smallest=0.2, largest=0.5, turns=True)
CAMERA = Camera(elevation=30.0, azimuth=0.0, distance=3.0, aim=0.1, view=50.0, near=1.0, far=5.0)
MARCH = March(points=16, noise=0.0)


def field_settings(**changes: Any) -> FieldSettings:
    known = {"layers": 3, "width": 6, "skip": 2, "point_waves": 2, "way_waves": 1}
    return FieldSettings(**(known | {"density": 0.5, "divided": 1.0, "fades": False} | changes))


def field(name: str = "object", **changes: Any) -> Field:
    built = Field(field_settings(**changes), SHAPE, APPEARANCE, FEATURES)
    initialization.initialize(built, generator(0, name))
    return built.double()


def fields(**changes: Any) -> Fields:
    return Fields(field(**changes), field("background", **changes))


def constant(density: float, colour: float, **changes: Any) -> Field:
    """Return a field that is the same at all points and for all codes."""
    built = field(**changes)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.zero_()
        built.density.bias.fill_(density)
        built.features.bias.fill_(colour)
        built.features.bias[:3] = torch.tensor(colour).logit()
    return built


def poses(rows: int = ROWS, count: int = OBJECTS, reach: Reach = REACH) -> Poses:
    return Poses.of(generator(0, "poses").normal((rows, count, NUMBERS)).double(), reach)


def codes(name: str, *shape: int) -> Codes:
    numbers = generator(0, "codes", name)
    return Codes(*(numbers.normal((*shape, size)).double() for size in (SHAPE, APPEARANCE)))


def scene(*, background: bool = True, **changes: Any) -> Scene:
    found: Poses = changes.get("poses", poses())
    rows, count = found.turn.shape
    known: dict[str, Any] = {
        "poses": found,
        "codes": codes("objects", rows, count),
        "present": torch.ones(rows, count, dtype=torch.bool),
        "background": codes("background", rows) if background else None,
    }
    return Scene(**(known | changes))


def picked(whole: Scene, places: list[int]) -> Scene:
    """Return a scene of some objects, in this order."""
    return Scene(
        Poses(*(each[:, places] for each in whole.poses)),
        Codes(*(each[:, places] for each in whole.codes)),
        whole.present[:, places],
        whole.background,
    )


def weighed(values: Tensor) -> Tensor:
    """Return a sum of values in which each counts for itself."""
    return (values * generator(0, "weights of a sum").normal(values.shape).to(values)).sum()
