"""The search is exact whatever its blocks, and what counts as near is measured, not chosen."""

import numpy
import pytest
import scipy.stats

from foreframe.inspection import near_duplicates
from foreframe.inspection.near_duplicates import NONE, Nearest, Scenes, nearest
from foreframe.inspection.perceptual_hash import distances, offsets, signatures

OFFSETS = offsets(4)
SCENES = Scenes(numpy.array([0, 60, 120]), 20)


def random_hashes(count: int) -> numpy.ndarray:
    random = numpy.random.Generator(numpy.random.Philox(7))
    return random.integers(0, 2**64, count, dtype=numpy.uint64)


@pytest.mark.parametrize("block", [(1, 1), (3, 17), (64, 8192)])
@pytest.mark.parametrize("scenes", [None, SCENES])
def test_the_nearest_is_that_of_a_search_by_hand(
    block: tuple[int, int], scenes: Scenes | None
) -> None:
    hashes, queries, windows = random_hashes(180), numpy.arange(100, 170, 7), numpy.arange(0, 150)
    found = nearest(hashes, queries, windows, OFFSETS, scenes, block)
    every = distances(
        signatures(hashes, queries, OFFSETS), signatures(hashes, windows, OFFSETS)
    ).astype(int)
    if scenes is not None:
        for row, query in enumerate(queries):
            for window in windows:
                same = numpy.digitize(query, [60, 120]) == numpy.digitize(window, [60, 120])
                if same and abs(query - window) < 20:
                    every[row, window] = NONE
    numpy.testing.assert_array_equal(found.distances, every.min(axis=1))
    numpy.testing.assert_array_equal(found.windows, every.argmin(axis=1))


def test_of_equally_near_windows_the_first_is_found() -> None:
    hashes = numpy.zeros(40, numpy.uint64)
    for block in ((1, 1), (2, 5), (64, 8192)):
        found = nearest(hashes, numpy.array([30]), numpy.arange(3, 20), OFFSETS, None, block)
        assert found.windows.tolist() == [3] and found.distances.tolist() == [0]


def test_a_copy_is_found_at_any_frame() -> None:
    hashes = random_hashes(200)
    hashes[150:154] = hashes[37:41]
    found = nearest(hashes, numpy.array([150]), numpy.arange(0, 100), OFFSETS, None)
    assert (found.windows[0], found.distances[0]) == (37, 0)


def test_near_is_a_quarter_of_what_is_usual_between_scenes() -> None:
    starts = numpy.zeros(5, numpy.int64)
    known = Nearest(starts, starts, numpy.array([40, 50, 60, 0, NONE]))
    assert near_duplicates.threshold(known) == 45 // 4
    # One copy among the training scenes hardly moves it.
    copied = Nearest(starts, starts, numpy.array([40, 0, 60, 0, 50]))
    assert near_duplicates.threshold(copied) == 40 // 4


def test_without_different_scenes_nothing_counts_as_near() -> None:
    one = Scenes(numpy.array([0]), 1000)
    found = nearest(random_hashes(50), numpy.array([3]), numpy.arange(40), OFFSETS, one)
    assert found.distances.tolist() == [NONE] and found.windows.tolist() == [-1]
    assert near_duplicates.threshold(found) is None


def test_few_clips_are_all_looked_up_and_many_evenly() -> None:
    starts = numpy.arange(0, 1000, 3)
    numpy.testing.assert_array_equal(near_duplicates.spread(starts, 400), starts)
    few = near_duplicates.spread(starts, 10)
    assert len(few) == 10 and few[0] == 0 and few[-1] == 999
    assert numpy.ptp(numpy.diff(few)) <= 3


def test_shown_pairs_come_from_different_episodes_the_closest_first() -> None:
    found = Nearest(
        queries=numpy.array([130, 131, 150, 70]),
        windows=numpy.array([5, 6, 61, 8]),
        distances=numpy.array([9, 3, 7, 5]),
    )
    assert near_duplicates.closest(found, SCENES, 3) == [1, 3, 2]
    assert near_duplicates.closest(found, SCENES, 1) == [1]


def test_chance_is_the_tail_of_a_binomial() -> None:
    for near, clips, usual in ((0, 5, (0, 10)), (3, 60, (4, 500)), (7, 4000, (0, 500))):
        share = (usual[0] + 1) / (usual[1] + 2)
        expected = scipy.stats.binom.sf(near - 1, clips, share)
        assert near_duplicates.chance((near, clips), usual) == pytest.approx(expected, abs=1e-9)
