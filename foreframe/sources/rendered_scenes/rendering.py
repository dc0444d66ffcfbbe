"""Pictures of solids on a floor, by rays: what is seen, how far it is, and how it is lit.

A pixel is the mean of FINE x FINE rays, its mask and its depth are those of the ray through its
middle. One distant light throws shadows; metal mirrors the sky and shines.

Shapes: H rows, W columns, h and w those of a part of them, n points, K solids.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.sources.rendered_scenes import solids
from foreframe.sources.rendered_scenes.solids import Solid, Values, Vector, along, cut, dot

Array = NDArray[Any]
Colour = tuple[float, float, float]

FINE = 2  # rays along each side of a pixel of a picture
WIDE = 0.457  # half of a frame's shorter side at distance 1: an angle of 49 degrees in all
AIM = 0.15  # how far above the floor's middle the camera looks

COLOURS: Mapping[str, Colour] = {
    "white": (0.94, 0.94, 0.94),
    "red": (0.80, 0.16, 0.14),
    "blue": (0.18, 0.32, 0.88),
    "green": (0.13, 0.50, 0.16),
    "brown": (0.53, 0.33, 0.14),
    "purple": (0.52, 0.20, 0.74),
    "cyan": (0.18, 0.78, 0.80),
    "yellow": (0.94, 0.86, 0.22),
}
MATERIALS = ("rubber", "metal")

LIGHT = (-0.48, -0.36, 0.80)  # towards it; of length 1
AMBIENT, DIRECT = 0.42, 0.58  # of a surface's colour, anywhere and where it faces the light
SKY, SHINE = 0.38, 0.55  # of metal: how much of the sky it mirrors, and of the light
FLOOR: Colour = (0.58, 0.57, 0.56)
HAZE: Colour = (0.36, 0.37, 0.39)  # of the floor far away
FAR = 9.0  # squared distance at which a floor is half haze


@dataclass(frozen=True)
class Camera:
    """Looks at the middle of the floor from a distance; angles are radians.

    At azimuth 0 it looks straight away, and a positive one takes it to the right; an elevation of 0
    would be on the floor.
    """

    azimuth: float
    elevation: float
    distance: float

    @property
    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Where it looks, and what is right and up in its frames."""
        across, sideways = cut(math.cos(self.azimuth)), cut(math.sin(self.azimuth))
        level, steep = cut(math.cos(self.elevation)), cut(math.sin(self.elevation))
        return (
            (-level * sideways, level * across, -steep),
            (across, sideways, 0.0),
            (-steep * sideways, steep * across, level),
        )

    @property
    def place(self) -> tuple[float, float, float]:
        """Where it is."""
        (right, away, up), _, _ = self.axes
        return -self.distance * right, -self.distance * away, AIM - self.distance * up


@dataclass(frozen=True)
class Seen:
    """What rays met first.

    Attributes:
        solids: whose surface it is, from 1, 0 for the floor and beyond, int64 (H,W).
        depth: how far ahead of the camera, along where it looks; (H,W), infinite for nothing.
        shares: of how many of its rays, were it alone, each solid is seen in fact, (K,); 0 where
            none would meet it.
    """

    solids: Array
    depth: Array
    shares: Array


@dataclass(frozen=True)
class View:
    """A camera and the frame (H,W) that it sees."""

    camera: Camera
    height: int
    width: int

    def rays(self) -> Vector:
        """Return a ray through the middle of each pixel, (H,W), with depth 1."""
        ahead, right, up = self.camera.axes
        wide, high = self._half()
        x_W = (2 * numpy.arange(self.width) + 1 - self.width) / self.width * wide
        y_H1 = (self.height - 2 * numpy.arange(self.height)[:, None] - 1) / self.height * high
        found = [ahead[axis] + x_W * right[axis] + y_H1 * up[axis] for axis in range(3)]
        return found[0], found[1], found[2]

    def pixel(self, point: Vector) -> tuple[float, float]:
        """Return where a point is in the frame, x and y in pixels; 0 is the middle of the first."""
        depth, x, y = self._seen(point)
        wide, high = self._half()
        across, down = x / depth / wide, -y / depth / high
        return ((across + 1) * self.width - 1) / 2, ((down + 1) * self.height - 1) / 2

    def around(self, solid: Solid) -> tuple[slice, slice]:
        """Return rows and columns that hold all of a solid; the camera is not in it."""
        depth, x, y = self._seen(solid.middle)
        if depth <= 1.01 * solid.reach:
            return slice(self.height), slice(self.width)
        wide, high = self._half()
        # |x'/z' - x/z| <= reach (1 + |x/z|) / (z - reach) within reach of the middle.
        parts = []
        for place, half, count in ((-y, high, self.height), (x, wide, self.width)):
            slope = place / depth
            more = solid.reach * (1 + abs(slope)) / (depth - solid.reach)
            ends = [((slope + side * more) / half + 1) * count / 2 for side in (-1, 1)]
            low, high_end = (min(max(math.floor(end), -1), count) for end in ends)
            parts.append(slice(max(0, low), high_end + 1))
        return parts[0], parts[1]

    def _half(self) -> tuple[float, float]:
        least = min(self.height, self.width)
        return WIDE * self.width / least, WIDE * self.height / least

    def _seen(self, point: Vector) -> Vector:
        """Return how far ahead, to the right and up a point is, as the camera has it."""
        place = self.camera.place
        apart = point[0] - place[0], point[1] - place[1], point[2] - place[2]
        ahead, right, up = self.camera.axes
        return dot(apart, ahead), dot(apart, right), dot(apart, up)


def look(things: Sequence[Solid], camera: Camera, height: int, width: int) -> Seen:
    """Return what the rays through the middles of pixels meet."""
    view = View(camera, height, width)
    return _meet(things, view, view.rays())


def picture(
    things: Sequence[Solid], camera: Camera, height: int, width: int
) -> tuple[NDArray[numpy.uint8], Seen]:
    """Return a frame, uint8 (H,W,3), and what its rays met, (FINE H, FINE W)."""
    view = View(camera, height * FINE, width * FINE)
    rays = view.rays()
    seen = _meet(things, view, rays)
    colours = _floor(things, view, rays, seen)
    for number, thing in enumerate(things, start=1):
        rows, columns = view.around(thing)
        own = seen.solids[rows, columns] == number
        if not own.any():
            continue
        part = [each[rows, columns][own] for each in rays]
        ray = part[0], part[1], part[2]
        point = along(camera.place, ray, seen.depth[rows, columns][own])
        for channel, values_n in zip(colours, _surface(things, thing, ray, point), strict=True):
            channel[rows, columns][own] = values_n
    return _frame(colours), seen


def _meet(things: Sequence[Solid], view: View, rays: Vector) -> Seen:
    place = view.camera.place
    up = rays[2]
    depth = numpy.where(up < 0, -place[2] / numpy.where(up < 0, up, -1.0), numpy.inf)
    first = numpy.zeros(depth.shape, numpy.int64)
    alone = []
    for number, thing in enumerate(things, start=1):
        rows, columns = view.around(thing)
        part = rays[0][rows, columns], rays[1][rows, columns], rays[2][rows, columns]
        near, far = solids.span(thing, place, part)
        met = (near <= far) & (near > 0)
        alone.append(int(met.sum()))
        # What is below the floor, or ends on it, is not seen there.
        nearer = met & (near < depth[rows, columns])
        first[rows, columns][nearer] = number
        depth[rows, columns][nearer] = near[nearer]
    counts = [int((first == number).sum()) for number in range(1, len(things) + 1)]
    shares = [own / max(1, whole) for own, whole in zip(counts, alone, strict=True)]
    return Seen(first, depth, numpy.array(shares))


def _floor(things: Sequence[Solid], view: View, rays: Vector, seen: Seen) -> list[Array]:
    """Return the three channels (H,W) of a floor under shadows, 0 where it is not seen."""
    bare = (seen.solids == 0) & numpy.isfinite(seen.depth)
    part = [each[bare] for each in rays]
    point = along(view.camera.place, (part[0], part[1], part[2]), seen.depth[bare])
    light = AMBIENT + DIRECT * LIGHT[2] * ~_shaded(things, point)
    near = FAR / (FAR + point[0] * point[0] + point[1] * point[1])
    found = []
    for own, haze in zip(FLOOR, HAZE, strict=True):
        channel = numpy.full(seen.depth.shape, haze)
        channel[bare] = haze + near * (own * light - haze)
        found.append(channel)
    return found


def _surface(things: Sequence[Solid], thing: Solid, ray: Vector, point: Vector) -> list[Values]:
    """Return the three channels (n,) of points of a solid."""
    way = solids.normal(thing, point)
    faces = numpy.maximum(dot(way, LIGHT), 0.0)
    # A convex solid leaves what faces the light in the light.
    others = [each for each in things if each is not thing]
    lit = numpy.where(_shaded(others, point), 0.0, faces)
    light = AMBIENT + DIRECT * lit
    if thing.material == "rubber":
        return [own * light for own in COLOURS[thing.colour]]
    length = numpy.sqrt(dot(ray, ray))
    straight = 2 * dot(ray, way) / length
    mirrored = [ray[axis] / length - straight * way[axis] for axis in range(3)]
    sky = numpy.maximum(mirrored[2], 0.0)
    shine = numpy.maximum(dot((mirrored[0], mirrored[1], mirrored[2]), LIGHT), 0.0)
    for _ in range(4):  # to the sixteenth
        shine = shine * shine
    white = SHINE * numpy.where(lit > 0, shine, 0.0)
    return [own * (light * (1 - SKY) + SKY * sky) + white for own in COLOURS[thing.colour]]


def _shaded(things: Sequence[Solid], point: Vector) -> Array:
    """Return whether a solid is between points (n,) and the light, bool (n,)."""
    dark = numpy.zeros(numpy.shape(point[0]), numpy.bool_)
    for thing in things:
        near, far = solids.span(thing, point, LIGHT)
        dark |= (near <= far) & (near > 0)
    return dark


def _frame(colours: Sequence[Array]) -> NDArray[numpy.uint8]:
    """Return the mean of the rays of each pixel as 8 bits, added in one order."""
    channels = []
    for channel in colours:
        clipped = numpy.minimum(channel, 1.0)
        rows = clipped[0::FINE] + clipped[1::FINE]
        channels.append((rows[:, 0::FINE] + rows[:, 1::FINE]) * (255 / FINE**2))
    return numpy.rint(numpy.stack(channels, axis=2)).astype(numpy.uint8)
