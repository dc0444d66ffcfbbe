"""Frames that hardly leave one value are shown in contrast that fills the scale."""

import numpy
import pytest

from foreframe.report.figures import episodes


@pytest.mark.parametrize("middle", [128, 90])
def test_what_hardly_moves_is_magnified_to_the_ends_of_the_scale(middle: int) -> None:
    """Each channel by one factor, away from the middle; one that says nothing is in the middle."""
    steps = numpy.arange(-6, 7)
    values = numpy.stack([middle + steps, middle - steps // 2, 0 * steps], axis=-1)
    found = episodes.magnify(values.astype(numpy.uint8), middle).astype(int) - middle
    room = min(middle, 255 - middle)
    assert abs(found[:, 0] - steps * room / 6).max() <= 1
    assert abs(found[:, 1] + (steps // 2) * room / 6).max() <= 1
    assert (found[:, 2] == 0).all()
    still = numpy.full((4, 3), middle, numpy.uint8)
    assert (episodes.magnify(still, middle) == middle).all()
