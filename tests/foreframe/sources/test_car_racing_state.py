"""The state of the car against closed forms: round tracks to both sides, on and off the middle."""

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreframe.sources.car_racing.state import AHEAD, STATES, state

RADIUS = 60.0
POINTS = 400


def circle(*, left: bool) -> numpy.ndarray:
    """Return a round track about the origin that turns to the left or to the right."""
    angle_N = 2 * numpy.pi * numpy.arange(POINTS) / POINTS * (1 if left else -1)
    return RADIUS * numpy.stack([numpy.cos(angle_N), numpy.sin(angle_N)], axis=1)


@given(
    place=st.integers(0, POINTS - 1),
    left=st.booleans(),
    offset=st.floats(-5, 5),
    heading=st.floats(-1.5, 1.5),
    speed=st.floats(0, 50),
)
def test_on_a_circle_every_state_is_known(
    place: int, left: bool, offset: float, heading: float, speed: float
) -> None:
    track_N2 = circle(left=left)
    around = math.atan2(track_N2[place, 1], track_N2[place, 0])
    along = around + (math.pi / 2 if left else -math.pi / 2)
    leftward = numpy.array([-math.sin(along), math.cos(along)])
    found = state(
        track_N2,
        (place + 3) % POINTS,  # the last known place need not be the nearest
        track_N2[place] + offset * leftward,
        along + heading - math.pi / 2,  # a car's angle is against the direction (0, 1)
        speed,
    )
    assert found.shape == (len(STATES),)
    assert found[0] == speed
    assert found[1] == pytest.approx(offset, abs=1e-9)
    assert found[2] == pytest.approx(heading, abs=1e-9)
    assert found[3] == pytest.approx((1 if left else -1) / RADIUS, rel=1e-3)


def test_curvature_looks_ahead_and_not_behind() -> None:
    # A straight, then a left quarter of a circle.
    straight = numpy.stack([numpy.arange(-100.0, 0.0), numpy.zeros(100)], axis=1)
    turn = numpy.arange(1, 63) / 40
    curve = 40 * numpy.stack([numpy.sin(turn), 1 - numpy.cos(turn)], axis=1)
    track_N2 = numpy.concatenate([straight, curve])

    def curvature(place: int) -> float:
        return float(state(track_N2, place, track_N2[place], 0.0, 0.0)[3])

    assert curvature(20) == pytest.approx(0, abs=1e-12)
    assert 0 < curvature(100 - round(AHEAD) // 2) < 1 / 40
    assert curvature(105) == pytest.approx(1 / 40, rel=0.01)
