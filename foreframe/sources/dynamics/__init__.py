"""Dynamics: one object whose motion belongs to one of ten classes, and nothing else tells them.

Three paths (linear, sinusoidal, hypocycloidal) by three ways to go along them (constant,
accelerating, bouncing), and rotation in place. The data set, by the author of a thesis on video
modelling, was never released; what it leaves open (sizes, ranges, frame rate) is ours, and so is
the flat drawing, where the original used a physics engine. A single frame must not give the class
away: place, size, look and background have the same distribution in every class.
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
REACH = 0.16  # how far a path strays from its middle
MIDDLE = 0.16  # how far the place in a random frame lies from the middle of the picture


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
    # Where the object is in a random frame does not depend on the class, so it cannot tell it.
    anchor, moment = 0.5 + random.uniform(-MIDDLE, MIDDLE, 2), int(random.integers(frames))
    start = random.uniform(0, 2 * math.pi)
    if CLASSES[label] == "rotation":
        turns = random.uniform(0.5, 2) * random.choice([-1, 1])
        angles = start + 2 * math.pi * turns * numpy.linspace(0, 1, frames)
        return Motion(numpy.repeat(anchor[None], frames, axis=0), angles)
    path, speed = divmod(label, len(SPEEDS))
    places = _path(path, random)(_progress(speed, frames, random))
    return Motion(anchor + places - places[moment], numpy.full(frames, start))


def _progress(speed: int, frames: int, random: numpy.random.Generator) -> NDArray[numpy.float64]:
    """Return how far along the path the object is in every frame, from 0 to 1."""
    time = numpy.linspace(0, 1, frames)
    if SPEEDS[speed] == "constant":
        return time
    if SPEEDS[speed] == "accelerating":
        # s = v0 t + a t^2 / 2, with an end 3 to 6 times as fast as the start.
        ratio = random.uniform(3, 6)
        way = time + (ratio - 1) * time**2 / 2
        return way / way[-1] if random.integers(2) else 1 - (way / way[-1])[::-1]
    turns = random.uniform(1, 3)
    # A triangle wave: there and back at one speed.
    phase = (turns + 1) * time + random.uniform(0, 2)
    return numpy.abs((phase % 2) - 1)


def _path(number: int, random: numpy.random.Generator) -> "_Path":
    heading = random.uniform(0, 2 * math.pi)
    turned = numpy.array(
        [(math.cos(heading), math.sin(heading)), (-math.sin(heading), math.cos(heading))]
    )
    return _Path(
        number, turned, int(random.integers(3, 6)), random.uniform(1, 3), random.uniform(0, 1)
    )


@dataclass(frozen=True)
class _Path:
    """A curve around 0, of at most REACH; called with progress (n,) it returns places (n,2)."""

    number: int
    turned: NDArray[numpy.float64]
    cusps: int  # R/r of a hypocycloid: 3, 4 or 5
    periods: float  # of a sine
    phase: float

    def __call__(self, progress: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
        along = REACH * (2 * progress - 1)
        if PATHS[self.number] == "linear":
            curve = numpy.stack([along, numpy.zeros_like(along)], axis=1)
        elif PATHS[self.number] == "sinusoidal":
            wave = numpy.sin(2 * math.pi * (self.periods * progress + self.phase))
            curve = numpy.stack([along, REACH / 3 * wave], axis=1)
        else:
            # x = (R - r) cos th + r cos((R - r) th / r), with R = 1, r = 1 / cusps.
            angle, inner = 2 * math.pi * (progress + self.phase), self.cusps - 1
            x = inner * numpy.cos(angle) + numpy.cos(inner * angle)
            y = inner * numpy.sin(angle) - numpy.sin(inner * angle)
            curve = REACH * numpy.stack([x, y], axis=1) / self.cusps
        return curve @ self.turned


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
