"""Rendered scenes: solids on a floor, from a camera that differs; every mask and depth is known.

For models of objects where CLEVR cannot be had (Johnson et al. 2017, whose scenes these resemble:
spheres, cubes and cylinders of two materials, some large, some small). An episode is a scene; of
several frames, the camera goes around it, or one solid goes over the floor.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from pydantic import Field, model_validator

from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.rendered_scenes import rendering
from foreframe.sources.rendered_scenes import scene as scenes
from foreframe.sources.rendered_scenes.rendering import COLOURS, MATERIALS, Camera
from foreframe.sources.rendered_scenes.scene import Scene
from foreframe.sources.rendered_scenes.solids import SHAPES, Solid
from foreframe.sources.synthetic import SyntheticSettings

SIZES = (0.16, 0.26)
AREA = 0.7  # middles lie within so much of the floor's middle, to the right and away
GAP = 0.04  # between two solids, at least
TRIES = 50  # to find a place for a solid, before all are placed anew
SEEN = 0.3  # share of each solid that nothing covers in the first frame, at least
SIDE = 32  # pixels of the frame in which that is told, whatever the frames' own size
AROUND = math.radians(40)  # how far a camera goes around a scene in a clip
FARTHEST = 1.2  # how far a solid goes in a clip

Degrees = Annotated[float, Field(ge=0, le=180)]


class Settings(SyntheticSettings):
    """How many solids there are, where the camera is, and what moves in a clip."""

    kind: Literal["rendered_scenes"]
    fewest_objects: Annotated[int, Field(ge=1, le=6)]
    most_objects: Annotated[int, Field(ge=1, le=6)]
    azimuth_jitter: Degrees  # to either side
    elevation: Annotated[float, Field(ge=10, le=80)]  # degrees above the floor
    elevation_jitter: Annotated[float, Field(ge=0, le=30)]
    distance: Annotated[float, Field(ge=1.8, le=6)]  # from the floor's middle, in half its sides
    moving: Literal["nothing", "camera", "object"]

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        if self.fewest_objects > self.most_objects:
            raise ValueError("fewest_objects is above most_objects. Swap them.")
        low, high = (self.elevation + sign * self.elevation_jitter for sign in (-1, 1))
        if low < 10 or high > 85:
            raise ValueError(
                f"the camera's elevation is between {low:g} and {high:g} degrees; it can be from "
                "10 to 85. Lower elevation_jitter."
            )
        if self.moving == "nothing" and self.frames_per_episode > 1:
            raise ValueError(
                f"frames_per_episode is {self.frames_per_episode}, but nothing is moving. Set it "
                "to 1, or moving to camera or object."
            )
        return self


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes; states tell all of a scene (see `scene.OF_SOLID`). `videos` is not read.

    Whatever moves, the first frame of an episode is that of the single one.
    """
    return synthetic.stream(
        _draw, settings, seed, workers, first, states=scenes.names(settings.most_objects)
    )


def _draw(settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
    height, width, most = settings.height, settings.width, settings.most_objects
    for each in clip(settings, seed, number):
        frame, seen = rendering.picture(each.solids, each.camera, height, width)
        told = scenes.states(each, seen, most, height, width)
        yield frame, numpy.empty(0, numpy.float32), told


def clip(settings: Settings, seed: int, number: int) -> list[Scene]:
    """Return the scenes of an episode's frames."""
    random = numpy_generator(seed, "rendered_scenes", number, "scene")
    begin = _begin(settings, random)
    motion = numpy_generator(seed, "rendered_scenes", number, "motion")
    count = settings.frames_per_episode
    shares = [time / max(1, count - 1) for time in range(count)]
    if settings.moving == "object":
        which = int(motion.integers(len(begin.solids)))
        right, away = _way(begin.solids, which, motion)
        found = [begin.moved(which, share * right, share * away) for share in shares]
    else:
        turn = AROUND * float(motion.choice([-1, 1])) if settings.moving == "camera" else 0.0
        azimuth = begin.camera.azimuth
        found = [begin.seen_from(azimuth=azimuth + share * turn) for share in shares]
    return [each.kept() for each in found]


def _begin(settings: Settings, random: numpy.random.Generator) -> Scene:
    """Return a scene of which everything is seen."""
    while True:
        found = Scene(_camera(settings, random), _solids(settings, random))
        if (found.look(SIDE, SIDE).shares >= SEEN).all():
            return found


def _camera(settings: Settings, random: numpy.random.Generator) -> Camera:
    azimuth, elevation = (
        math.radians(middle + jitter * float(random.uniform(-1, 1)))
        for middle, jitter in (
            (0.0, settings.azimuth_jitter),
            (settings.elevation, settings.elevation_jitter),
        )
    )
    return Camera(azimuth, elevation, settings.distance)


def _solids(settings: Settings, random: numpy.random.Generator) -> tuple[Solid, ...]:
    count = int(random.integers(settings.fewest_objects, settings.most_objects, endpoint=True))
    while True:
        found: list[Solid] = []
        for _ in range(TRIES * count):
            solid = _solid(random)
            if all(apart(solid, other) >= GAP for other in found):
                found.append(solid)
            if len(found) == count:
                return tuple(found)


def _solid(random: numpy.random.Generator) -> Solid:
    shape, colour, material = (
        names[int(random.integers(len(names)))]
        for names in (tuple(SHAPES), tuple(COLOURS), MATERIALS)
    )
    right, away = (float(random.uniform(-AREA, AREA)) for _ in range(2))
    turn, size = float(random.uniform(0, 2 * math.pi)), SIZES[int(random.integers(len(SIZES)))]
    return Solid(shape, right, away, 0.0, turn, size, colour, material)


def apart(one: Solid, other: Solid) -> float:
    """Return how wide the gap is between the circles on the floor that hold two solids."""
    return math.hypot(one.right - other.right, one.away - other.away) - one.size - other.size


def _way(
    solids: tuple[Solid, ...], which: int, random: numpy.random.Generator
) -> tuple[float, float]:
    """Return how far a solid goes to the right and away, past no other and not off the floor."""
    own, longest = solids[which], FARTHEST
    others = [each for number, each in enumerate(solids) if number != which]
    while True:
        angle = float(random.uniform(0, 2 * math.pi))
        length = float(random.uniform(longest / 2, longest))
        right, away = length * math.cos(angle), length * math.sin(angle)
        end = replace(own, right=own.right + right, away=own.away + away)
        inside = max(abs(end.right), abs(end.away)) <= AREA
        if inside and all(_passed(own, end, other) >= GAP for other in others):
            return right, away
        longest *= 0.95  # where it is crowded, ways are short


def _passed(begin: Solid, end: Solid, other: Solid) -> float:
    """Return the smallest gap to another solid on the straight way."""
    right, away = end.right - begin.right, end.away - begin.away
    to = (other.right - begin.right) * right + (other.away - begin.away) * away
    share = min(1.0, max(0.0, to / (right * right + away * away)))
    near = replace(begin, right=begin.right + share * right, away=begin.away + share * away)
    return apart(near, other)
