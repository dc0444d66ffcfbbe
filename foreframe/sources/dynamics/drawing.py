"""The looks of a Dynamics episode: a shape of two colours before a random background."""

import math
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

FINE = 3  # points along each side of a pixel, for smooth edges
SMALLEST, LARGEST = 0.10, 0.25  # the object's size, as a share of the frame's side
COARSE = 8  # cells along a side of the background's noise


@dataclass(frozen=True)
class Scene:
    """What stays the same in an episode.

    Attributes:
        background: (size, size, 3), values 0..255.
        colours: of the object's two halves, (2, 3).
        corners: of the object's outline: 3, 4, 5, 6, or 0 for a disk.
        radius: of the object, as a share of the frame's side.
    """

    background: NDArray[numpy.float64]
    colours: NDArray[numpy.float64]
    corners: int
    radius: float


def scene(size: int, random: numpy.random.Generator) -> Scene:
    """Return a random scene for frames of `size` x `size` pixels."""
    return Scene(
        background=_background(size, random),
        colours=random.uniform(0, 255, (2, 3)),
        corners=int(random.choice([0, 3, 4, 5, 6])),
        radius=float(random.uniform(SMALLEST, LARGEST)) / 2,
    )


def _background(size: int, random: numpy.random.Generator) -> NDArray[numpy.float64]:
    """Return smooth noise around a random colour: coarse cells, blended linearly."""
    cells = random.uniform(-60, 60, (COARSE + 1, COARSE + 1, 3))
    where = numpy.linspace(0, COARSE, size, endpoint=False)
    low, share = where.astype(int), where % 1
    rows = cells[low] * (1 - share)[:, None, None] + cells[low + 1] * share[:, None, None]
    both = rows[:, low] * (1 - share)[:, None] + rows[:, low + 1] * share[:, None]
    return (random.uniform(60, 195, 3) + both).clip(0, 255)


def draw(scene: Scene, place: NDArray[numpy.float64], angle: float) -> NDArray[numpy.uint8]:
    """Return a frame (size, size, 3) with the object at `place` (2,), turned by `angle` radians."""
    size = len(scene.background)
    reach = scene.radius + 1 / size  # the object is nowhere else; a pixel more, for rounding
    low, high = (
        ((place + way * reach) * size).clip(0, size).astype(int).tolist() for way in (-1, 1)
    )
    columns, rows = (slice(*ends) for ends in zip(low, high, strict=True))
    points = ((numpy.arange(size * FINE) + 0.5) / (size * FINE)).reshape(size, FINE)
    across, down = points[columns].ravel() - place[0], points[rows].reshape(-1, 1) - place[1]
    distance, bearing = numpy.hypot(across, down), numpy.arctan2(down, across) - angle
    inside = distance <= scene.radius * _outline(bearing, scene.corners)
    # One half has the other colour, so that a disk that turns is seen to turn.
    other = numpy.sin(bearing) > 0
    frame = scene.background.copy()
    shown = frame[rows, columns]
    for half, colour in zip((inside & ~other, inside & other), scene.colours, strict=True):
        cover = half.reshape(len(shown), FINE, shown.shape[1], FINE).mean(axis=(1, 3))[..., None]
        shown[:] = shown * (1 - cover) + cover * colour
    return frame.round().astype(numpy.uint8)


def _outline(bearing: NDArray[numpy.float64], corners: int) -> NDArray[numpy.float64]:
    """Return the outline's distance from the middle in each direction: 1 at a corner."""
    if corners == 0:
        return numpy.ones_like(bearing)
    wedge = math.pi / corners
    return math.cos(wedge) / numpy.cos(bearing % (2 * wedge) - wedge)
