"""The simulator without its own pictures, and a camera that draws only the frames that are kept.

Gymnasium draws all 50 frames of a second, each with the whole track, a dashboard and the score.
Here the road alone is drawn, only where the camera looks; the view is Gymnasium's, without the
dashboard: the car stands in the lower middle and drives upwards.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# pygame greets on standard output when it is imported; no display is ever opened.
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"

import numpy
import pygame
from gymnasium.envs.box2d import car_racing
from gymnasium.envs.box2d.car_dynamics import Car
from numpy.typing import NDArray

from foreframe.sources.car_racing.variety import Look

# The picture above the dashboard, in pixels of Gymnasium's window.
WINDOW = (1000, 700)
# The car's height above the bottom of that picture.
CAR_HEIGHT = 100
# Pixels for each unit of length.
ZOOM = car_racing.ZOOM * car_racing.SCALE


class Simulator(car_racing.CarRacing):
    """CarRacing-v3 that draws nothing: stepping alone is about a hundred times faster.

    Of `look` it takes the shape of the track.
    """

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def _create_track(self) -> bool:
        # Gymnasium keeps these as constants of its module; they are its own again at once.
        changes = {
            "TRACK_WIDTH": self.look.width * car_racing.TRACK_WIDTH,
            "TRACK_TURN_RATE": self.look.turn * car_racing.TRACK_TURN_RATE,
            "TRACK_RAD": self.look.radius * car_racing.TRACK_RAD,
        }
        with _constants(changes):
            return bool(super()._create_track())  # type: ignore[no-untyped-call]

    def _render(self, mode: str) -> None:
        """Leave out the picture that every step would draw."""

    def place_car(self, tile: int) -> None:
        """Put a fresh car, at rest, on one tile of the track."""
        self._car.destroy()
        _, angle, x, y = self.track[tile]
        self.car = Car(self.world, angle, x, y)  # type: ignore[no-untyped-call]

    @property
    def position(self) -> NDArray[numpy.float64]:
        """Where the car is, (2,)."""
        return numpy.array(self._car.hull.position)

    @property
    def angle(self) -> float:
        """How far the car is turned to the left of the direction (0, 1), in radians."""
        return float(self._car.hull.angle)

    @property
    def speed(self) -> float:
        """How fast the car is, in units of length a second."""
        return math.hypot(*self._car.hull.linearVelocity)

    def draw_car(
        self, surface: pygame.Surface, zoom: float, offset: NDArray[numpy.float64], angle: float
    ) -> None:
        """Draw the car in a world turned by `angle`, its origin at the pixel `offset`, (2,)."""
        self._car.draw(surface, zoom, pygame.math.Vector2(*offset), angle, draw_particles=False)

    @property
    def _car(self) -> Any:
        assert self.car is not None, "there is a car after reset()"
        return self.car


@contextlib.contextmanager
def _constants(changes: dict[str, float]) -> Iterator[None]:
    before = {name: getattr(car_racing, name) for name in changes}
    vars(car_racing).update(changes)
    try:
        yield
    finally:
        vars(car_racing).update(before)


@dataclass(frozen=True)
class _Shapes:
    """Polygons that lie still: corners (P, 4, 2), their middles (P, 2) and radii (P, 1)."""

    corners: NDArray[numpy.float64]
    middles: NDArray[numpy.float64]
    radii: NDArray[numpy.float64]


class Camera:
    """Draws the world of one simulator as frames of one size, as its look says."""

    def __init__(self, simulator: Simulator, height: int, width: int) -> None:
        self.simulator, self.look = simulator, simulator.look
        self.zoom = self.look.zoom * ZOOM
        self.size = (width, height)
        # The largest window of the frame's shape, then scaled to its size.
        scale = min(WINDOW[0] / width, WINDOW[1] / height)
        self.window = (round(width * scale), round(height * scale))
        self.surface = pygame.Surface(self.window, depth=32)
        self.grass = _shapes(_grass())
        self.road = _shapes(numpy.array([corners for corners, _ in simulator.road_poly]))

    def shoot(self) -> NDArray[numpy.uint8]:
        """Return the frame of this moment: uint8 (height, width, 3), RGB."""
        simulator = self.simulator
        self.surface.fill(self.look.grass(_color(simulator.bg_color)))
        lighter = self.look.grass(_color(simulator.grass_color))
        for _, corners in self._visible(self.grass):
            pygame.draw.polygon(self.surface, lighter, corners)
        for place, corners in self._visible(self.road):
            # Read anew each time: a tile changes its colour once the car has touched it.
            color = self.look.paved(_color(simulator.road_poly[place][1]))
            pygame.draw.polygon(self.surface, color, corners)
        simulator.draw_car(self.surface, self.zoom, self._offset(), self._angle())
        scaled = pygame.surfarray.array3d(pygame.transform.smoothscale(self.surface, self.size))
        # The drawing's second axis points up, a frame's first one points down.
        return self.look.seen(numpy.ascontiguousarray(scaled.swapaxes(0, 1)[::-1]))

    def _offset(self) -> NDArray[numpy.float64]:
        turned_2 = self._turned(-self.zoom * self.simulator.position)
        right, up = (part * self.window[0] for part in self.look.shift)
        return turned_2 + numpy.array([self.window[0] / 2 + right, CAR_HEIGHT + up])

    def _angle(self) -> float:
        # The car's direction becomes the picture's upwards.
        return self.look.tilt - self.simulator.angle

    def _turned(self, points: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
        sine, cosine = math.sin(self._angle()), math.cos(self._angle())
        return points @ numpy.array([[cosine, sine], [-sine, cosine]])

    def _visible(self, shapes: _Shapes) -> Iterator[tuple[int, NDArray[numpy.float64]]]:
        """Yield the number of each polygon that may be seen, and its corners in pixels, (4, 2)."""
        half = numpy.array(self.window) / 2
        distances_P2 = numpy.abs(self._pixels(shapes.middles) - half)
        seen_P = (distances_P2 <= half + self.zoom * shapes.radii).all(axis=1)
        return zip(numpy.flatnonzero(seen_P), self._pixels(shapes.corners[seen_P]), strict=True)

    def _pixels(self, points: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
        return self._turned(self.zoom * points) + self._offset()


def _shapes(corners_P42: NDArray[numpy.float64]) -> _Shapes:
    middles_P2 = corners_P42.mean(axis=1)
    distances_P4 = numpy.linalg.norm(corners_P42 - middles_P2[:, None], axis=-1)
    return _Shapes(corners_P42, middles_P2, distances_P4.max(axis=1, keepdims=True))


def _grass() -> NDArray[numpy.float64]:
    """Return the squares of lighter grass, every second one of a board: (400, 4, 2)."""
    corner = numpy.array([(1, 0), (0, 0), (0, 1), (1, 1)], dtype=numpy.float64)
    column, row = numpy.meshgrid(numpy.arange(-20, 20, 2), numpy.arange(-20, 20, 2), indexing="ij")
    place_P12 = numpy.stack([column, row], axis=-1).reshape(-1, 1, 2)
    return car_racing.GRASS_DIM * (place_P12 + corner)


def _color(color: NDArray[numpy.float64]) -> tuple[int, int, int]:
    red, green, blue = (int(channel) for channel in color)
    return red, green, blue
