"""Noisy sine waves in patches: one-dimensional sequences as frames, with their values as states.

y = sin(F x + 2 pi u) + e with u ~ U(0, 1) for each episode, e ~ N(0, 0.1^2) for each point, and
steps of 0.05 in x (the toy study of the thesis on recurrent flows, appendix A). A frame shows one
patch; models of one-dimensional data take the states.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy
from numpy.typing import NDArray
from pydantic import Field

from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.synthetic import SyntheticSettings

STEP = 0.05
NOISE = 0.1
# Values at the lower and upper edge of a frame: the wave and four deviations of the noise.
EDGE = 1 + 4 * NOISE


class Settings(SyntheticSettings):
    """The wave's frequency F and the points of a patch; the literature has 30 patches of 100."""

    kind: Literal["sinusoid"]
    frequency: Annotated[float, Field(gt=0, le=100)]
    points: Annotated[int, Field(ge=2, le=10_000)]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes, whose states are the values of a patch; `videos` is not read."""
    states = tuple(f"y_{point}" for point in range(settings.points))
    return synthetic.stream(_draw, settings, seed, workers, first, states=states)


def wave(settings: Settings, random: numpy.random.Generator) -> NDArray[numpy.float64]:
    """Return the values of one episode, float64 (patches, points)."""
    shape = (settings.frames_per_episode, settings.points)
    shift = 2 * math.pi * random.uniform()
    x = STEP * numpy.arange(shape[0] * shape[1]).reshape(shape)
    return numpy.sin(settings.frequency * x + shift) + random.normal(0, NOISE, shape)


def _draw(settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
    values = wave(settings, numpy_generator(seed, "sinusoid", number))
    for patch in values:
        yield draw(patch, settings.height, settings.width), numpy.empty(0, numpy.float32), patch


def draw(values: NDArray[numpy.float64], height: int, width: int) -> NDArray[numpy.uint8]:
    """Return a frame (height, width, 3): how often the values of a column lie in each row.

    Columns share the points evenly; brightness is the share of the fullest cell.
    """
    rows = ((EDGE - values) / (2 * EDGE) * height).astype(numpy.int64).clip(0, height - 1)
    columns = numpy.arange(len(values)) * width // len(values)
    counts = numpy.zeros((height, width))
    numpy.add.at(counts, (rows, columns), 1)
    grey = (255 * counts / counts.max()).round().astype(numpy.uint8)
    return numpy.repeat(grey[..., None], 3, axis=2)
