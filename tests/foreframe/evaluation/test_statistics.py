"""Intervals hold what they promise on synthetic clips; pairs, wins and seeds have closed forms."""

import itertools

import numpy
import pytest
import torch
from scipy import stats

from foreframe.evaluation import statistics
from foreframe.evaluation.statistics import RESAMPLES, SMALLEST, across_seeds, interval, paired, won

DRAWS = 2000


def numbers(seed: int) -> numpy.random.Generator:
    return numpy.random.default_rng(seed)


def covered(values_DB: numpy.ndarray, truth: float) -> float:
    """Return the share of rows whose interval holds the true mean."""
    hits = 0
    for draw, values_B in enumerate(values_DB):
        found = interval(torch.from_numpy(values_B), 0, draw)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
    return hits / len(values_DB)


@pytest.mark.parametrize("clips", [8, 20, 60])
def test_intervals_hold_the_true_mean_of_normal_scores_as_often_as_they_say(clips: int) -> None:
    # 2000 draws at 95 %: the share found has a standard deviation of 0.5 %.
    assert 0.925 <= covered(numbers(clips).normal(30, 5, (DRAWS, clips)), 30) <= 0.975


def halves(draws: int, clips: int, seed: int) -> numpy.ndarray:
    """Return means over windows of white noise, each of which shares half of the one before."""
    noise = numbers(seed).normal(30, 5, (draws, clips + 1))
    return (noise[:, 1:] + noise[:, :-1]) / 2


@pytest.mark.parametrize("clips", [20, 60])
def test_intervals_hold_the_true_mean_where_clips_overlap_by_half(clips: int) -> None:
    assert 0.92 <= covered(halves(1000, clips, clips), 30) <= 0.98


def test_single_clips_that_overlap_would_give_intervals_that_hold_it_too_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statistics, "block_length", lambda _: 1)
    assert 0.80 <= covered(halves(1000, 60, 60), 30) <= 0.88


def test_intervals_come_close_where_each_clip_resembles_the_one_before() -> None:
    # As the PSNR of neighbouring test clips does: an autocorrelation of 0.56 from clip to clip.
    steps = numbers(11).normal(0, 1, (1000, 110))
    for place in range(1, 110):
        steps[:, place] += 0.56 * steps[:, place - 1]
    assert covered(steps[:, 50:], 0) >= 0.89


def test_blocks_grow_with_the_likeness_of_neighbours_up_to_a_quarter_of_the_clips() -> None:
    alone, half = numbers(12).normal(size=400), halves(1, 400, 12)[0]
    drift = torch.linspace(0, 1, 400)
    lengths = [statistics.block_length(x) for x in map(torch.from_numpy, (alone, half))]
    assert lengths[0] < 8 <= lengths[1] < 30
    assert statistics.block_length(drift) == 100
    assert statistics.block_length(drift[: statistics.FEWEST]) == 1


def test_a_resample_is_made_of_clips_in_a_row() -> None:
    # Of powers of two, a mean tells which clips were drawn: 3 of 12 blocks of 4, on a circle.
    values = 2.0 ** torch.arange(0, 36, 3, dtype=torch.float64)
    blocks = [values.roll(-first)[:4].sum() for first in range(12)]
    expected = {float(sum(three)) for three in itertools.product(blocks, repeat=3)}
    found = torch.cat(list(statistics._resampled(values, 4, 0))) * 12
    assert set(found.tolist()) <= expected


def test_intervals_of_skewed_scores_come_close() -> None:
    assert covered(numbers(1).exponential(2, (DRAWS, 30)), 2) >= 0.91


@pytest.mark.parametrize("freedom", [3, 4.5, 9, 19, 199])
def test_the_quantile_is_that_of_students_distribution(freedom: float) -> None:
    expected = stats.t.ppf(0.025, freedom)
    assert statistics._student(freedom) == pytest.approx(expected, abs=4e-3)


def test_many_clips_give_what_scipy_gives() -> None:
    values = numbers(2).exponential(1, 500)
    ours = interval(torch.from_numpy(values), 0)
    theirs = stats.bootstrap(
        (values,), numpy.mean, n_resamples=20000, method="percentile", random_state=numbers(3)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_an_interval_says_what_it_is_of() -> None:
    values = torch.arange(10.0)
    found = interval(values, 0, "psnr")
    assert (found.mean, found.clips) == (4.5, 10)
    assert (found.confidence, found.resamples) == (0.95, RESAMPLES)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 4.5 < found.high < 9


def test_a_seed_and_a_position_name_the_interval() -> None:
    values = torch.from_numpy(numbers(4).normal(size=30))
    assert interval(values, 0, "psnr", 3) == interval(values, 0, "psnr", 3)
    assert interval(values, 0, "psnr", 3) != interval(values, 0, "psnr", 4)
    assert interval(values, 0, "psnr", 3) != interval(values, 1, "psnr", 3)


def test_units_do_not_matter() -> None:
    values = torch.from_numpy(numbers(5).normal(size=30))
    found, scaled = interval(values, 0), interval(2 * values + 3, 0)
    assert found.low is not None
    assert scaled.low == pytest.approx(2 * found.low + 3)


def test_memory_is_bounded_and_chunks_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.from_numpy(numbers(6).normal(size=40))
    monkeypatch.setattr(statistics, "CHUNK", 40 * 300)
    parts = list(statistics._resampled(values, 1, 0))
    assert [len(part) for part in parts] == [300] * 6 + [200]
    assert len(torch.cat(parts).unique()) == RESAMPLES


def test_equal_clips_have_an_interval_without_width() -> None:
    found = interval(torch.full((12,), 3.0), 0)
    assert (found.low, found.mean, found.high) == (3, 3, 3)


def test_too_few_clips_have_a_mean_but_no_interval() -> None:
    found = interval(torch.arange(SMALLEST - 1.0), 0)
    assert (found.mean, found.low, found.high, found.clips) == (3, None, None, SMALLEST - 1)
    assert interval(torch.arange(float(SMALLEST)), 0).low is not None


def test_pairs_are_narrower_where_clips_are_hard_for_both() -> None:
    hardness = numbers(7).normal(0, 5, 40)
    first = torch.from_numpy(hardness + numbers(8).normal(1, 0.3, 40))
    second = torch.from_numpy(hardness + numbers(9).normal(0, 0.3, 40))
    difference, alone = paired(first, second, 0), interval(first, 0)
    assert difference.mean == pytest.approx(float(first.mean() - second.mean()))
    assert difference.low is not None
    assert difference.high is not None
    assert alone.low is not None
    assert alone.high is not None
    assert 0 < difference.low < difference.high
    assert difference.high - difference.low < 0.2 * (alone.high - alone.low)


def test_a_model_paired_with_itself_differs_by_nothing() -> None:
    values = torch.from_numpy(numbers(10).normal(size=20))
    found = paired(values, values, 0)
    assert (found.low, found.mean, found.high) == (0, 0, 0)
    assert won(values, values, "higher") == 0.5


def test_the_share_of_clips_won_follows_the_direction() -> None:
    first, second = torch.tensor([1.0, 2, 3, 4]), torch.tensor([0.0, 5, 3, 1])
    assert won(first, second, "higher") == (2 + 0.5) / 4
    assert won(first, second, "lower") == (1 + 0.5) / 4


def test_seeds_have_a_mean_and_a_spread() -> None:
    found = across_seeds([20.0, 22.0, 27.0])
    assert (found.mean, found.count) == (23, 3)
    assert found.std == pytest.approx(13**0.5)
    assert across_seeds([20.0]).std is None


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_results_that_are_none_have_no_spread(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite results"):
        across_seeds(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.zeros(0), "at least one"),
        (torch.zeros(3, 2), "one for each clip"),
        (torch.tensor([1.0, float("nan")]), "hold NaN"),
        (torch.tensor([1, 2]), "give floating point"),
    ],
)
def test_what_are_no_scores_is_refused(values: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        interval(values, 0)


def test_other_clips_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired(torch.zeros(9), torch.zeros(8), 0)
