"""Points of a mixture of 25 Gaussians on a grid, each a frame with one dot.

Equal weights, means on {-4, -2, 0, 2, 4}^2, deviation 0.05 (Dumoulin et al. 2017). The points are
independent: what comes next cannot be told, so a model that claims to tell is wrong. Models of
two-dimensional data take the states. Where an episode is one point, its component is its label; of
several points nothing is said, since the nearest mean tells it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy
from numpy.typing import NDArray

from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.synthetic import SyntheticSettings

MEANS = numpy.array([(x, y) for y in (-4, -2, 0, 2, 4) for x in (-4, -2, 0, 2, 4)], float)
CLASSES = tuple(f"({x:g}, {y:g})" for x, y in MEANS)
DEVIATION = 0.05
EDGE = 5.0  # a frame shows -5..5 along both axes
DOT = 0.25  # radius
FINE = 4  # points along each side of a pixel, for smooth edges


class Settings(SyntheticSettings):
    """How many points there are: `frames_per_episode` for each episode; 100,000 in the paper."""

    kind: Literal["gaussian_grid"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes, whose states are points. `videos` is not read."""
    single = settings.frames_per_episode == 1
    return synthetic.stream(
        _draw,
        settings,
        seed,
        workers,
        first,
        states=("x", "y"),
        labels={"component": CLASSES} if single else None,
        label=_label if single else None,
    )


def points(
    count: int, random: numpy.random.Generator
) -> tuple[NDArray[numpy.float64], NDArray[numpy.int64]]:
    """Return points (count, 2) and the components (count,) 0..24 that they were drawn from."""
    components = random.integers(len(MEANS), size=count)
    return MEANS[components] + random.normal(0, DEVIATION, (count, 2)), components


def _drawn(
    settings: Settings, seed: int, number: int
) -> tuple[NDArray[numpy.float64], NDArray[numpy.int64]]:
    return points(settings.frames_per_episode, numpy_generator(seed, "gaussian_grid", number))


def _label(settings: Settings, seed: int, number: int, part: str) -> dict[str, int]:
    return {"component": int(_drawn(settings, seed, number)[1][0])}


def _draw(settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
    for point in _drawn(settings, seed, number)[0]:
        yield draw(point, settings.height, settings.width), numpy.empty(0, numpy.float32), point


def draw(point: NDArray[numpy.float64], height: int, width: int) -> NDArray[numpy.uint8]:
    """Return a black frame (height, width, 3) with a white dot at `point` (2,): y points up."""
    across = _axis(width) - point[0]
    down = (-_axis(height) - point[1])[:, None]
    inside = across**2 + down**2 <= DOT**2
    cover = inside.reshape(height, FINE, width, FINE).mean(axis=(1, 3))
    grey = (255 * cover).round().astype(numpy.uint8)
    return numpy.repeat(grey[..., None], 3, axis=2)


def _axis(pixels: int) -> NDArray[numpy.float64]:
    """Return where points lie along an axis, from -EDGE to EDGE, FINE for each pixel."""
    return ((numpy.arange(pixels * FINE) + 0.5) / (pixels * FINE) - 0.5) * 2 * EDGE
