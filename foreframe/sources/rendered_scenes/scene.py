"""A scene: a camera, and solids on a floor; how it is told in numbers, and other scenes of it.

Numbers are kept as float32, as states are stored: what is drawn of stored states is what was drawn.

Shapes: H rows, W columns, K solids, S states.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy
from numpy.typing import NDArray

from foreframe.sources.rendered_scenes import rendering
from foreframe.sources.rendered_scenes.rendering import COLOURS, MATERIALS, Camera, Seen, View
from foreframe.sources.rendered_scenes.solids import SHAPES, Solid

CAMERA = ("azimuth", "elevation", "distance")
# Of each solid: its middle in the frame, in pixels, and where it stands; what it is, all three
# counted from 1 in the order of their tables; and which share of it is seen. A solid that is not
# there has 0 for everything.
OF_SOLID = (
    "x", "y", "right", "away", "up", "turn", "size", "shape", "colour", "material", "visible",
)  # fmt: skip
TABLES: Mapping[str, Sequence[str]] = {
    "shape": tuple(SHAPES),
    "colour": tuple(COLOURS),
    "material": MATERIALS,
}
NUMBERS = ("right", "away", "up", "turn", "size")


@dataclass(frozen=True)
class Scene:
    """What a frame shows; solids are counted from 0, and in masks from 1."""

    camera: Camera
    solids: tuple[Solid, ...]

    def kept(self) -> Self:
        """Return the scene with its numbers as they are stored."""
        solids = tuple(_kept(each) for each in self.solids)
        camera = Camera(*(stored(getattr(self.camera, name)) for name in CAMERA))
        return replace(self, camera=camera, solids=solids)

    def changed(self, number: int, **changes: Any) -> Self:
        """Return the scene with a solid that is another in what is named."""
        solids = list(self.solids)
        solids[number] = replace(solids[number], **changes)
        return replace(self, solids=tuple(solids))

    def moved(self, number: int, right: float, away: float) -> Self:
        """Return the scene with a solid moved over the floor."""
        own = self.solids[number]
        return self.changed(number, right=own.right + right, away=own.away + away)

    def without(self, *numbers: int) -> Self:
        """Return the scene with fewer solids."""
        rest = [each for number, each in enumerate(self.solids) if number not in numbers]
        return replace(self, solids=tuple(rest))

    def beside(self, *more: Solid) -> Self:
        """Return the scene with more solids, after those that there are."""
        return replace(self, solids=(*self.solids, *more))

    def seen_from(self, **changes: float) -> Self:
        """Return the scene with a camera that is another in what is named."""
        return replace(self, camera=replace(self.camera, **changes))

    def picture(self, height: int, width: int) -> NDArray[numpy.uint8]:
        """Return its frame, (H,W,3)."""
        return rendering.picture(self.solids, self.camera, height, width)[0]

    def look(self, height: int, width: int) -> Seen:
        """Return its masks and depths (H,W), of the rays through the middles of pixels."""
        return rendering.look(self.solids, self.camera, height, width)


def _kept(solid: Solid) -> Solid:
    numbers: dict[str, Any] = {name: stored(getattr(solid, name)) for name in NUMBERS}
    return replace(solid, **numbers)


def stored(value: float) -> float:
    """Return a number as a state of it is read."""
    return float(numpy.float32(value))


def names(most: int) -> tuple[str, ...]:
    """Return the names of the states of up to so many solids."""
    each = [f"{name}_{number}" for number in range(1, most + 1) for name in OF_SOLID]
    return (*CAMERA, *each)


def states(scene: Scene, seen: Seen, most: int, height: int, width: int) -> NDArray[numpy.float32]:
    """Return the states (S,) of a frame of a scene, of which `seen` says what is covered."""
    found = [getattr(scene.camera, name) for name in CAMERA]
    view = View(scene.camera, height, width)
    for number in range(most):
        if number >= len(scene.solids):
            found += [0.0] * len(OF_SOLID)
            continue
        solid = scene.solids[number]
        numbers = [getattr(solid, name) for name in NUMBERS]
        kinds = [table.index(getattr(solid, name)) + 1 for name, table in TABLES.items()]
        found += [*view.pixel(solid.middle), *numbers, *kinds, seen.shares[number]]
    return numpy.array(found, numpy.float32)


def of_states(state_names: Sequence[str], values_S: NDArray[Any]) -> Scene:
    """Return the scene that the states of a frame tell."""
    told = dict(zip(state_names, numpy.asarray(values_S).tolist(), strict=True))
    solids = []
    number = 1
    while told.get(f"shape_{number}", 0):
        kinds: dict[str, Any] = {
            name: table[int(told[f"{name}_{number}"]) - 1] for name, table in TABLES.items()
        }
        numbers = {name: told[f"{name}_{number}"] for name in NUMBERS}
        solids.append(Solid(**kinds, **numbers))
        number += 1
    return Scene(Camera(*(told[name] for name in CAMERA)), tuple(solids))


def tells(state_names: Sequence[str]) -> bool:
    """Return whether states of these names tell a scene."""
    return {*CAMERA, *(f"{name}_1" for name in OF_SOLID)} <= set(state_names)
