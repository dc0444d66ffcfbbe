"""What the simulator knows of the car's place on the road at the moment of a frame.

Pixel scores reward blur; these numbers tell whether a predicted future drives the right way.
Lengths are the simulator's units (the road is 13.3 wide), times seconds, angles radians, left
positive.
"""

import math

import numpy
from numpy.typing import NDArray

# speed: units a second; offset: of the car from the road's middle, units; heading: of the car
# against the road, radians; curvature: mean over the road ahead, 1 / units.
STATES = ("speed", "offset", "heading", "curvature")

AHEAD = 30.0  # how far the mean curvature looks
NEAR = numpy.arange(-5, 15)  # track points around the last known one


def state(
    track_N2: NDArray[numpy.float64],
    place: int,
    position_2: NDArray[numpy.float64],
    angle: float,
    speed: float,
) -> NDArray[numpy.float64]:
    """Return the values of `STATES`, (4,), of a car near point `place` of a closed track.

    `angle` turns left from the direction (0, 1) that an unturned car looks in.
    """
    near = (place + NEAR) % len(track_N2)
    nearest = int(near[numpy.square(track_N2[near] - position_2).sum(axis=1).argmin()])
    # The direction from the point behind to the point in front: the road's tangent at this point.
    before, after = track_N2[nearest - 1], track_N2[(nearest + 1) % len(track_N2)]
    along_2 = (after - before) / numpy.linalg.norm(after - before)
    from_road_2 = position_2 - track_N2[nearest]
    offset = along_2[0] * from_road_2[1] - along_2[1] * from_road_2[0]
    heading = _wrapped(angle + math.pi / 2 - math.atan2(along_2[1], along_2[0]))
    return numpy.array([speed, offset, heading, _curvature(track_N2, nearest)])


def _curvature(track_N2: NDArray[numpy.float64], place: int) -> float:
    """Return by how much the road turns to the left over the next `AHEAD` units, per unit."""
    spacing = float(numpy.linalg.norm(track_N2[1] - track_N2[0]))
    places = (place + numpy.arange(round(AHEAD / spacing) + 2)) % len(track_N2)
    steps_N2 = numpy.diff(track_N2[places], axis=0)
    first, last = (math.atan2(step[1], step[0]) for step in (steps_N2[0], steps_N2[-1]))
    return _wrapped(last - first) / float(numpy.linalg.norm(steps_N2[:-1], axis=1).sum())


def _wrapped(angle: float) -> float:
    """Return the same angle between -pi and pi."""
    return (angle + math.pi) % (2 * math.pi) - math.pi
