"""Pictures that the project draws from known factors: one object before a background.

For images with classes and attributes where no data set can be had: what an object is, its colour
and the pattern behind it are labels of an episode, where it lies, how large and how far turned it
is are states of each frame. So classifiers have a truth, and so has what lies between two pictures.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.synthetic import SyntheticSettings

Values = NDArray[numpy.floating[Any]]
Mask = NDArray[numpy.bool_]
Colour = tuple[int, int, int]

FINE = 4  # points along each side of a pixel, for smooth edges
SMALLEST, LARGEST = 0.18, 0.36  # radius of an object, of the frame's shorter side
DARK = (20, 110)  # the two colours of a background lie in this range
STATES = ("x", "y", "radius", "angle")

# Pentagrams: the distance of the edges' lines from the middle, and their directions.
EDGE = math.cos(2 * math.pi / 5)
DIRECTIONS = [math.pi / 2 + math.pi + 2 * math.pi * side / 5 for side in range(5)]


def _star(u: Values, v: Values) -> Mask:
    sides = [(u * math.cos(each) + v * math.sin(each) > EDGE).astype(int) for each in DIRECTIONS]
    outside: NDArray[Any] = sum(sides[1:], sides[0])
    return outside <= 1


# What lies inside of each object, of radius 1 around the origin, v upwards.
SHAPES: Mapping[str, Callable[[Values, Values], Mask]] = {
    "disc": lambda u, v: u**2 + v**2 <= 1,
    "ring": lambda u, v: (u**2 + v**2 <= 1) & (u**2 + v**2 >= 0.3),
    "half disc": lambda u, v: (u**2 + v**2 <= 1) & (v >= 0),
    "crescent": lambda u, v: (u**2 + v**2 <= 1) & ((u - 0.5) ** 2 + v**2 >= 0.6),
    "square": lambda u, v: numpy.maximum(abs(u), abs(v)) <= math.sqrt(0.5),
    "triangle": lambda u, v: (v >= -0.5) & (v + math.sqrt(3) * abs(u) <= 1),
    "cross": lambda u, v: (
        (numpy.minimum(abs(u), abs(v)) <= 0.3) & (numpy.maximum(abs(u), abs(v)) <= 0.95)
    ),
    "bar": lambda u, v: (abs(u) <= 0.25) & (abs(v) <= 0.95),
    "arrow": lambda u, v: (
        ((v >= 0.1) & (v + 1.3 * abs(u) <= 1)) | ((abs(u) <= 0.22) & (v >= -0.95) & (v < 0.1))
    ),
    "star": _star,
}
COLOURS: Mapping[str, Colour] = {
    "white": (245, 245, 245),
    "red": (230, 60, 50),
    "orange": (240, 150, 40),
    "yellow": (240, 225, 60),
    "green": (60, 190, 80),
    "cyan": (60, 205, 220),
    "blue": (70, 110, 240),
    "violet": (190, 90, 225),
}
# Where a background has its second colour, 0..1; x and y go from 0 to 1, `turn` is 0..1 as well.
BACKGROUNDS: Mapping[str, Callable[[Values, Values, float], Values]] = {
    "plain": lambda x, y, turn: 0 * x + 0 * y,
    "gradient": lambda x, y, turn: turn * x + (1 - turn) * y,
    "stripes": lambda x, y, turn: 1.0 * ((6 * (x + turn * y)) % 1 < 0.5),
    "checks": lambda x, y, turn: 1.0 * (((5 * x + turn) % 1 < 0.5) != ((5 * y + turn) % 1 < 0.5)),
    "spots": lambda x, y, turn: (
        1.0 * (((5 * x + turn) % 1 - 0.5) ** 2 + ((5 * y + turn) % 1 - 0.5) ** 2 < 0.09)
    ),
}
LABELS = {"shape": tuple(SHAPES), "colour": tuple(COLOURS), "background": tuple(BACKGROUNDS)}


class Settings(SyntheticSettings):
    """How many pictures there are; of several frames, each shows the object in another pose."""

    kind: Literal["drawn_objects"]


@dataclass(frozen=True)
class Look:
    """What all frames of an episode share: the three labels, and a background's two colours."""

    shape: str
    colour: str
    background: str
    behind: tuple[Colour, Colour]
    turn: float


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes; `videos` is not read."""
    return synthetic.stream(
        _draw, settings, seed, workers, first, states=STATES, labels=LABELS, label=_label
    )


def look(seed: int, number: int) -> Look:
    """Return how an episode looks: each label by itself and all classes as likely."""
    random = numpy_generator(seed, "drawn_objects", "look", number)
    names = [classes[random.integers(len(classes))] for classes in LABELS.values()]
    one, two = (tuple(map(int, random.integers(*DARK, size=3))) for _ in range(2))
    return Look(names[0], names[1], names[2], (one, two), float(random.uniform()))  # type: ignore[arg-type]


def _label(settings: Settings, seed: int, number: int, part: str) -> dict[str, int]:
    found = look(seed, number)
    return {name: classes.index(getattr(found, name)) for name, classes in LABELS.items()}


def _draw(settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
    found = look(seed, number)
    random = numpy_generator(seed, "drawn_objects", "poses", number)
    for _ in range(settings.frames_per_episode):
        pose = _pose(settings, random)
        picture = draw(found, pose, settings.height, settings.width)
        yield picture, numpy.empty(0, numpy.float32), pose


def _pose(settings: Settings, random: numpy.random.Generator) -> Values:
    """Return x, y and radius in pixels and an angle in radians; the object lies inside."""
    radius = random.uniform(SMALLEST, LARGEST) * min(settings.height, settings.width)
    x = random.uniform(radius, settings.width - radius)
    y = random.uniform(radius, settings.height - radius)
    return numpy.array([x, y, radius, random.uniform(0, 2 * math.pi)])


def draw(look: Look, pose: Values, height: int, width: int) -> NDArray[numpy.uint8]:
    """Return the picture (height, width, 3) of an object in a pose (x, y, radius, angle).

    The angle turns it against the clock; y counts from the upper edge.
    """
    x, y, radius, angle = pose.tolist()
    across = (numpy.arange(width * FINE) + 0.5) / FINE
    down = (numpy.arange(height * FINE) + 0.5)[:, None] / FINE
    right, up = (across - x) / radius, (y - down) / radius
    u = math.cos(angle) * right + math.sin(angle) * up
    v = math.cos(angle) * up - math.sin(angle) * right
    one, two = (numpy.array(each, float) for each in look.behind)
    second = BACKGROUNDS[look.background](across / width, down / height, look.turn)
    picture = one + second[..., None] * (two - one)
    picture[SHAPES[look.shape](u, v)] = COLOURS[look.colour]
    shrunk = picture.reshape(height, FINE, width, FINE, 3).mean(axis=(1, 3))
    return shrunk.round().astype(numpy.uint8)
