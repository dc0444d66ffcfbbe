"""Pixels, motion and checksums are those of the whole array, however it is cut into blocks."""

import numpy
import pytest

from foreframe.inspection import identical, motion, pixels
from tests.foreframe.inspection.recordings import noise, scene


def test_mean_and_deviation_are_those_of_the_whole_array() -> None:
    frames = scene(1, 20)
    found = pixels.statistics(pixels.counts(frames))
    numpy.testing.assert_allclose(found.mean, frames.mean((0, 1, 2)), rtol=1e-13)
    numpy.testing.assert_allclose(found.std, frames.std((0, 1, 2)), rtol=1e-12)
    assert found.black == found.white == (0.0, 0.0, 0.0)


def test_means_of_frames_are_numpys() -> None:
    frames = noise(7, (5, 9, 7, 3))
    numpy.testing.assert_allclose(pixels.means(frames), frames.mean((1, 2)), rtol=1e-15)


def test_counts_are_histograms_and_add_up() -> None:
    frames = noise(2, (9, 5, 4, 3))
    counts = pixels.counts(frames)
    assert counts.shape == (3, 256) and counts.sum() == frames.size
    for channel in range(3):
        for value in (0, 17, 255):
            assert counts[channel, value] == (frames[..., channel] == value).sum()
    numpy.testing.assert_array_equal(counts, pixels.counts(frames[:4]) + pixels.counts(frames[4:]))


def test_the_ends_of_the_range_are_counted() -> None:
    frames = numpy.full((1, 2, 2, 3), 128, numpy.uint8)
    frames[0, 0, 0], frames[0, 1, 1, 2] = 0, 255
    found = pixels.statistics(pixels.counts(frames))
    assert found.black == (0.25, 0.25, 0.25) and found.white == (0.0, 0.0, 0.25)


def test_motion_is_the_mean_absolute_difference() -> None:
    frames = noise(3, (7, 6, 5, 3))
    expected = numpy.abs(numpy.diff(frames.astype(int), axis=0)).mean((1, 2, 3))
    steps = motion.steps(frames, None)
    assert numpy.isnan(steps[0])
    numpy.testing.assert_allclose(steps[1:], expected, rtol=1e-14)
    cut = numpy.concatenate([motion.steps(frames[:3], None), motion.steps(frames[3:], frames[2])])
    numpy.testing.assert_array_equal(cut, steps)


def test_brightness_does_not_count_as_motion_of_what_follows() -> None:
    frames = scene(4, 10)
    numpy.testing.assert_array_equal(motion.steps(frames + 5, None), motion.steps(frames, None))


def test_a_summary_counts_still_and_repeated_steps() -> None:
    steps = numpy.array([numpy.nan, 0.0, 0.25, 0.5, 2.0, numpy.nan, 7.25])
    found = motion.summary(steps)
    assert found is not None
    assert (found.steps, found.repeated, found.still) == (5, 1, 2)
    assert (found.mean, found.median) == (2.0, 0.5)
    assert found.low == pytest.approx(numpy.quantile(steps[~numpy.isnan(steps)], 0.05))
    counts = motion.distribution(steps)
    assert counts.sum() == 5 and counts[0] == 1
    assert motion.EDGES[-1] > 255 and (numpy.diff(motion.EDGES) > 0).all()


def test_a_clip_occurs_where_all_its_bytes_do_and_nowhere_else() -> None:
    frames = noise(5, (40, 4, 4, 3))
    frames[30:36] = frames[3:9]
    windows = numpy.arange(20)
    found = identical.occurring(identical.checksums(frames), numpy.array([30, 29, 31]), windows, 6)
    assert found.tolist() == [True, False, False]
    frames[33, 1, 2, 0] ^= 1
    assert not identical.occurring(identical.checksums(frames), numpy.array([30]), windows, 6).any()


def test_the_order_of_a_clips_frames_matters() -> None:
    checksums = identical.checksums(noise(6, (4, 4, 4, 3)))
    both = numpy.concatenate([checksums, checksums[::-1]])
    first, second = identical.clip_checksums(both, numpy.array([0, 4]), 4)
    assert first != second


def test_single_images_have_no_motion_to_sum_up() -> None:
    assert motion.summary(numpy.full(3, numpy.nan)) is None
