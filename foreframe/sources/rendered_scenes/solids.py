"""Solids that stand on a floor: spheres, cubes and upright cylinders, and where rays meet them.

All are convex: a ray o + t d is inside from one t to another. Only + - * / and square roots are
used, which round alike on every processor; sines and cosines of angles are cut to NINE digits.

Points and rays are three numbers each, to the right, away and up, or arrays of one shape of them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

# A number, or an array (n...) of them.
Values = Any
Vector = tuple[Values, Values, Values]
Span = tuple[Values, Values]
Mask = NDArray[numpy.bool_]

NINE = 9  # digits; the last ones of a cosine are not those of every processor
TINY = 1e-300  # in place of 0, by which nothing is divided
HALF = 0.70711  # half the side of a cube of size 1, whose corners lie as far out as a cylinder


@dataclass(frozen=True)
class Solid:
    """What stands at a place.

    Attributes:
        shape: a name of `SHAPES`.
        right, away, up: the middle of its underside.
        turn: against the clock as seen from above, in radians.
        size: the radius of the circle on the floor that holds it.
        colour: a name of `rendering.COLOURS`.
        material: a name of `rendering.MATERIALS`.
    """

    shape: str
    right: float
    away: float
    up: float
    turn: float
    size: float
    colour: str
    material: str

    @property
    def half(self) -> float:
        """Half of its height."""
        return HALF * self.size if self.shape == "cube" else self.size

    @property
    def middle(self) -> tuple[float, float, float]:
        """The point in its middle."""
        return self.right, self.away, self.up + self.half

    @property
    def reach(self) -> float:
        """The radius of a ball around its middle that holds it."""
        return self.size if self.shape == "sphere" else 1.5 * self.size


def cut(value: float) -> float:
    """Return a sine or cosine with so many digits as all processors agree on."""
    return round(value, NINE)


def dot(one: Vector, other: Vector) -> Values:
    """Return the product of two vectors, added from left to right."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def along(origin: Vector, ray: Vector, distance: Values) -> Vector:
    """Return the points at a distance, in lengths of the rays."""
    return (
        origin[0] + distance * ray[0],
        origin[1] + distance * ray[1],
        origin[2] + distance * ray[2],
    )


def span(solid: Solid, origin: Vector, ray: Vector) -> Span:
    """Return from where to where a ray is inside, in its lengths; missed: the first is larger."""
    inside = _turned(solid, _away(solid, origin)), _turned(solid, ray)
    return SHAPES[solid.shape].span(solid, *inside)


def normal(solid: Solid, point: Vector) -> Vector:
    """Return the directions (n,) of length 1 in which the surface looks at points (n,) of it."""
    x, y, z = SHAPES[solid.shape].normal(solid, _turned(solid, _away(solid, point)))
    cos, sin = _angle(solid)
    return cos * x - sin * y, sin * x + cos * y, z


def _away(solid: Solid, point: Vector) -> Vector:
    right, away, up = solid.middle
    return point[0] - right, point[1] - away, point[2] - up


def _angle(solid: Solid) -> tuple[float, float]:
    return cut(math.cos(solid.turn)), cut(math.sin(solid.turn))


def _turned(solid: Solid, vector: Vector) -> Vector:
    """Return a vector as the solid has it, whose sides lie along the axes."""
    cos, sin = _angle(solid)
    return cos * vector[0] + sin * vector[1], cos * vector[1] - sin * vector[0], vector[2]


def _slab(origin: Values, ray: Values, half: float) -> Span:
    """Return where a ray is between two planes; along them it is so everywhere or nowhere."""
    step = numpy.where(ray == 0, TINY, ray)
    one, other = (-half - origin) / step, (half - origin) / step
    return numpy.minimum(one, other), numpy.maximum(one, other)


def _both(*spans: Span) -> Span:
    near, far = spans[0]
    for one, other in spans[1:]:
        near, far = numpy.maximum(near, one), numpy.minimum(far, other)
    return near, far


def _quadric(a: Values, b: Values, c: Values) -> Span:
    """Return between which t is a t^2 + 2 b t + c <= 0."""
    square = b * b - a * c
    root = numpy.sqrt(numpy.maximum(square, 0.0))
    missed = square < 0
    near, far = (-b - root) / a, (root - b) / a
    return numpy.where(missed, numpy.inf, near), numpy.where(missed, -numpy.inf, far)


def _sphere(solid: Solid, origin: Vector, ray: Vector) -> Span:
    return _quadric(dot(ray, ray), dot(origin, ray), dot(origin, origin) - solid.size * solid.size)


def _cube(solid: Solid, origin: Vector, ray: Vector) -> Span:
    slabs = [_slab(*each, solid.half) for each in zip(origin, ray, strict=True)]
    return _both(*slabs)


def _cylinder(solid: Solid, origin: Vector, ray: Vector) -> Span:
    (x, y, z), (right, away, up) = origin, ray
    # A ray that goes straight up has no place where it enters the round.
    across = numpy.maximum(right * right + away * away, TINY)
    inside = x * x + y * y - solid.size * solid.size
    return _both(_quadric(across, x * right + y * away, inside), _slab(z, up, solid.half))


def _sphere_normal(solid: Solid, point: Vector) -> Vector:
    return point[0] / solid.size, point[1] / solid.size, point[2] / solid.size


def _cube_normal(solid: Solid, point: Vector) -> Vector:
    far = [abs(each) for each in point]
    most = numpy.maximum(numpy.maximum(far[0], far[1]), far[2])
    upright = far[2] == most
    ahead = ~upright & (far[0] == most)
    sides = ahead, ~upright & ~ahead, upright
    x, y, z = (side * numpy.sign(each) for side, each in zip(sides, point, strict=True))
    return x, y, z


def _cylinder_normal(solid: Solid, point: Vector) -> Vector:
    x, y, z = point
    out = numpy.sqrt(x * x + y * y)
    # Of the lid or of the wall, whichever is nearer.
    lid = abs(z) * solid.size > out * solid.half
    safe = numpy.maximum(out, TINY)
    wall = ~lid
    return wall * x / safe, wall * y / safe, lid * numpy.sign(z)


@dataclass(frozen=True)
class Shape:
    """How a shape is met, and where its surface looks, with its middle at 0 and unturned."""

    span: Callable[[Solid, Vector, Vector], Span]
    normal: Callable[[Solid, Vector], Vector]


SHAPES: Mapping[str, Shape] = {
    "sphere": Shape(_sphere, _sphere_normal),
    "cube": Shape(_cube, _cube_normal),
    "cylinder": Shape(_cylinder, _cylinder_normal),
}
