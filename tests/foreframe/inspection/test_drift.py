"""Distances of histograms are the known ones, and vanish where there is no difference."""

import numpy
import pytest
import scipy.spatial.distance
import scipy.stats

from foreframe.inspection import drift, pixels
from tests.foreframe.inspection.recordings import noise, scene


def test_a_shift_of_brightness_is_as_many_levels() -> None:
    frames = scene(1, 10)
    for levels in (0, 1, 7):
        found = drift.distance(pixels.counts(frames), pixels.counts(frames + levels))
        numpy.testing.assert_allclose(found.earth_mover, levels, atol=1e-12)


def test_both_measures_are_those_of_scipy() -> None:
    first, second = pixels.counts(noise(1, (3, 5, 5, 3))), pixels.counts(scene(2, 4))
    found = drift.distance(first, second)
    values = numpy.arange(256)
    for channel in range(3):
        p, q = first[channel], second[channel]
        moved = scipy.stats.wasserstein_distance(values, values, p, q)
        assert found.earth_mover[channel] == pytest.approx(moved, rel=1e-12)
        root = scipy.spatial.distance.jensenshannon(p, q, base=2)
        assert found.jensen_shannon[channel] == pytest.approx(root**2, rel=1e-12)


def test_measures_are_symmetric_and_do_not_depend_on_the_number_of_frames() -> None:
    first, second = pixels.counts(scene(3, 6)), pixels.counts(scene(4, 9))
    one, other = drift.distance(first, second), drift.distance(5 * second, first)
    numpy.testing.assert_allclose(one.earth_mover, other.earth_mover, rtol=1e-12)
    numpy.testing.assert_allclose(one.jensen_shannon, other.jensen_shannon, rtol=1e-9)


def test_a_pixel_tells_disjoint_sets_apart_with_one_bit() -> None:
    dark = pixels.counts(numpy.full((1, 4, 4, 3), 10, numpy.uint8))
    light = pixels.counts(numpy.full((2, 4, 4, 3), 200, numpy.uint8))
    found = drift.distance(dark, light)
    numpy.testing.assert_allclose(found.jensen_shannon, 1.0)
    numpy.testing.assert_allclose(found.earth_mover, 190.0)
    assert drift.distance(dark, dark).jensen_shannon.tolist() == [0.0, 0.0, 0.0]


def test_each_stretch_is_compared_with_all_others() -> None:
    parts = numpy.stack([pixels.counts(scene(number, 3)) for number in range(4)])
    found = drift.among(parts)
    assert len(found) == 4
    rest = parts[0] + parts[1] + parts[3]
    expected = drift.distance(parts[2], rest)
    numpy.testing.assert_array_equal(found[2].earth_mover, expected.earth_mover)


def test_stretches_are_about_as_long_as_the_other_sets() -> None:
    assert drift.stretch_count(4608, 576.0) == 8
    assert drift.stretch_count(1000, 600.0) == drift.FEWEST
    assert drift.stretch_count(10**6, 10.5) == drift.MOST
