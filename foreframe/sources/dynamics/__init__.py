"""Dynamics: one object whose motion belongs to one of ten classes, and nothing else tells them.

Three paths (linear, sinusoidal, hypocycloidal) by three ways to go along them (constant,
accelerating, bouncing), and rotation in place. The data set, by the author of a thesis on video
modelling, was never released; what it leaves open (sizes, ranges, frame rate) is ours, and so is
the flat drawing, where the original used a physics engine.

A frame that is taken at random must not give the class away: size, look, background and angle are
drawn alike in every class, and places are spread alike (see `_aside`). Nor must how fast an object
is: all but those that turn in place go as far in a clip, along their paths, and in any direction.
Then one that bounces ends nearer to where it began: that displacements were alike as well cannot
be. Nor can places at a moment that is known: what moves evenly passes the middle of its way then.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy
from numpy.typing import NDArray
from pydantic import model_validator

from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.dynamics import drawing as dynamics_drawing
from foreframe.sources.synthetic import SyntheticSettings

PATHS = ("linear", "sinusoidal", "hypocycloidal")
SPEEDS = ("constant", "accelerating", "bouncing")
CLASSES = (*(f"{path} {speed}" for path in PATHS for speed in SPEEDS), "rotation")
STATES = ("x", "y", "angle")
# A rotation goes along no path.
LABELS = {"class": CLASSES, "path": (*PATHS, "none"), "speed": (*SPEEDS, "none")}
# Lengths are shares of the frame's side.
WAY = (0.35, 0.55)  # how far an object goes in a clip, along its path
MIDDLE = 0.12  # how far the middle of a motion lies from that of the picture, along each axis
TURNS = (0.5, 2.0)  # of a rotation
RATIO = (3.0, 6.0)  # of the last speed to the first one, of what accelerates
LEG = (0.5, 1.0)  # the first and the last of a bouncing way, as shares of those between
STEEPNESS = 0.25  # a sine's amplitude over its period
# On a path: at least so much of its pattern that it shows, and less of the rest the more often the
# path is gone along, for it is the shorter.
PERIODS = (1.0, 2.0)
LOBES = (1.25, 1.75)  # from cusp to cusp of a hypocycloid
CUSPS = (3, 4, 5)  # R/r
POINTS = 1024  # of which a path is made


class Settings(SyntheticSettings):
    """Episodes of all classes in turn, so numbers of episodes are multiples of ten."""

    kind: Literal["dynamics"]

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        for name in ("train_episodes", "test_episodes"):
            if getattr(self, name) % len(CLASSES):
                raise ValueError(
                    f"{name} is {getattr(self, name)}; the ten classes are equally frequent. "
                    "Choose a multiple of 10."
                )
        if self.frames_per_episode < 2:
            raise ValueError("frames_per_episode is 1, which shows no motion. Set it to 2 or more.")
        if self.height != self.width:
            raise ValueError("dynamics has square frames. Set height and width to one number.")
        return self


@dataclass(frozen=True)
class Motion:
    """Where the object is in every frame: places (T,2) in 0..1, angles (T,) in radians."""

    places: NDArray[numpy.float64]
    angles: NDArray[numpy.float64]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes; labels are class, path and speed, states the place.

    `videos` is not read.
    """
    return synthetic.stream(
        _draw,
        settings,
        seed,
        workers,
        first,
        states=STATES,
        labels=LABELS,
        label=_labels,
        origin="dynamics {part} {number}",
    )


def motion(label: int, frames: int, random: numpy.random.Generator) -> Motion:
    """Return the motion of one class (0..9) over `frames` frames."""
    middle = 0.5 + random.uniform(-MIDDLE / 2, MIDDLE / 2, (2, 2)).sum(axis=0)
    start, way = random.uniform(0, 2 * math.pi), random.uniform(*WAY)
    moved, angles = numpy.zeros((frames, 2)), numpy.full(frames, start)
    if CLASSES[label] == "rotation":
        turns = random.uniform(*TURNS) * random.choice([-1, 1])
        angles = start + 2 * math.pi * turns * numpy.linspace(0, 1, frames)
    else:
        path, speed = divmod(label, len(SPEEDS))
        progress, times = _progress(speed, frames, random)
        moved = way / times * _path(path, times, random)(progress) @ _turned(random)
        moved -= moved.mean(axis=0)
    return Motion(middle + _aside(moved, way, random) + moved, angles)


def _aside(
    moved: NDArray[numpy.float64], way: float, random: numpy.random.Generator
) -> NDArray[numpy.float64]:
    """Return by how much (2,) a motion around 0 is put aside.

    An object that goes straight on and evenly is at a random frame at a random point of a line. The
    middle of every other motion is such a point, of a line that is shorter by what the motion
    itself spreads: an object in a single frame is then as far from the middle in every class.
    """
    frames = len(moved)
    even = way**2 * numpy.linspace(0, 1, frames).var()
    left = max(0.0, 1 - (moved**2).sum(axis=1).mean() / even)
    point = way * (random.integers(frames) / (frames - 1) - 0.5)
    aside: NDArray[numpy.float64] = math.sqrt(left) * numpy.array([point, 0.0]) @ _turned(random)
    return aside


def _turned(random: numpy.random.Generator) -> NDArray[numpy.float64]:
    """Return a rotation (2,2) by a random angle."""
    heading = random.uniform(0, 2 * math.pi)
    return numpy.array(
        [(math.cos(heading), math.sin(heading)), (-math.sin(heading), math.cos(heading))]
    )


def _progress(
    speed: int, frames: int, random: numpy.random.Generator
) -> tuple[NDArray[numpy.float64], float]:
    """Return which share of a path (T,) lies behind the object, and how often it goes along it."""
    time = numpy.linspace(0, 1, frames)
    if SPEEDS[speed] == "constant":
        return time, 1.0
    if SPEEDS[speed] == "accelerating":
        # s = v0 t + a t^2 / 2
        gone = time + (random.uniform(*RATIO) - 1) * time**2 / 2
        return gone / gone[-1], 1.0
    # There and back at one speed: a triangle wave, turned round once, twice or three times.
    turns = int(random.integers(1, 4))
    first, last = random.uniform(*LEG, 2)
    times = first + (turns - 1) + last
    return numpy.abs((1 - first + times * time) % 2 - 1), times


class _Path:
    """A curve of length 1; called with shares of it (n,) it returns places (n,2)."""

    def __init__(self, curve: NDArray[numpy.float64]) -> None:
        steps = numpy.hypot(*numpy.diff(curve, axis=0).T)
        gone = numpy.concatenate([[0.0], numpy.cumsum(steps)])
        self._gone, self._curve = gone / gone[-1], curve / gone[-1]

    def __call__(self, share: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
        axes = [numpy.interp(share, self._gone, axis) for axis in self._curve.T]
        return numpy.stack(axes, axis=1)


def _path(number: int, times: float, random: numpy.random.Generator) -> _Path:
    """Return a path that is gone along so many times."""
    phase, share = random.uniform(0, 1), numpy.linspace(0, 1, POINTS)
    if PATHS[number] == "linear":
        return _Path(numpy.stack([share, numpy.zeros(POINTS)], axis=1))
    if PATHS[number] == "sinusoidal":
        periods = _shown(PERIODS, times, random)
        wave = numpy.sin(2 * math.pi * (periods * share + phase))
        return _Path(numpy.stack([share, STEEPNESS / periods * wave], axis=1))
    # x = (R - r) cos th + r cos((R - r) th / r), with R = 1, r = 1 / cusps.
    cusps = int(random.choice(CUSPS))
    inner, lobes = cusps - 1, _shown(LOBES, times, random)
    angle = 2 * math.pi * (phase + lobes / cusps * share)
    x = inner * numpy.cos(angle) + numpy.cos(inner * angle)
    y = inner * numpy.sin(angle) - numpy.sin(inner * angle)
    return _Path(numpy.stack([x, y], axis=1))


def _shown(amount: tuple[float, float], times: float, random: numpy.random.Generator) -> float:
    least, more = amount
    return least + float(random.uniform(0, more)) / times


def _labels(settings: Settings, seed: int, number: int, part: str) -> dict[str, int]:
    label = number % len(CLASSES)
    path, speed = divmod(label, len(SPEEDS)) if label < len(CLASSES) - 1 else (3, 3)
    return {"class": label, "path": path, "speed": speed}


def _draw(settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
    label = number % len(CLASSES)
    moved = motion(
        label, settings.frames_per_episode, numpy_generator(seed, "dynamics", number, "motion")
    )
    scene = dynamics_drawing.scene(
        settings.height, numpy_generator(seed, "dynamics", number, "look")
    )
    for place, angle in zip(moved.places, moved.angles, strict=True):
        frame = dynamics_drawing.draw(scene, place, float(angle))
        state = numpy.array([*place, angle])
        yield frame, numpy.empty(0, numpy.float32), state
