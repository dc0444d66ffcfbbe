"""The Frechet distance: closed forms, scipy's matrix square root, streams in any batches."""

import numpy
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foreframe.errors import UserError
from foreframe.metrics.frechet import REAL, FrechetDistance, Moments, distance, interval


def moments(features_ND: Tensor) -> Moments:
    result = Moments()
    result.update(features_ND)
    return result


def drawn(seed: int, rows: int, features: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(features, features, dtype=dtype, generator=generator)
    return torch.randn(rows, features, dtype=dtype, generator=generator) @ mixing


def standardised(rows: int, seed: int, features: int) -> Tensor:
    """Return rows of mean 0 and unbiased covariance I, up to rounding."""
    rows_ND = drawn(seed, rows, features)
    rows_ND = rows_ND - rows_ND.mean(dim=0)
    orthonormal_ND = torch.linalg.qr(rows_ND)[0]
    return orthonormal_ND * (rows - 1) ** 0.5


def by_matrix_square_root(first_ND: Tensor, second_ND: Tensor) -> float:
    """Return the distance as published programs compute it."""
    first, second = first_ND.numpy(), second_ND.numpy()
    first_DD, second_DD = numpy.cov(first, rowvar=False), numpy.cov(second, rowvar=False)
    root_DD = scipy.linalg.sqrtm(first_DD @ second_DD).real
    shift = numpy.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    return float(shift + numpy.trace(first_DD + second_DD - 2 * root_DD))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_matrix_square_root(seed: int) -> None:
    first, second = drawn(seed, 200, 12), drawn(seed + 10, 150, 12) + 0.3
    expected = by_matrix_square_root(first, second)
    assert distance(moments(first), moments(second)) == pytest.approx(expected, rel=1e-8)


def test_one_feature_has_a_closed_form() -> None:
    """(m1 - m2)^2 + (s1 - s2)^2."""
    rows = standardised(50, 0, 1)
    value = distance(moments(3 * rows + 1), moments(0.5 * rows - 1))
    assert value == pytest.approx(4 + 2.5**2, rel=1e-12)


def test_independent_features_have_a_closed_form() -> None:
    """The sum of the features' own distances."""
    rows = standardised(60, 1, 4)
    first, second = torch.tensor([[1.0, 2, 3, 4], [4.0, 3, 2, 0]], dtype=torch.float64)
    shift = torch.tensor([0.0, 1, 0, 2], dtype=torch.float64)
    value = distance(moments(rows * first), moments(rows * second + shift))
    assert value == pytest.approx(float(((first - second) ** 2 + shift**2).sum()), rel=1e-10)


@pytest.mark.parametrize("rows", [3, 20, 500])
def test_equal_sets_have_no_distance_whatever_their_rank(rows: int) -> None:
    features = drawn(2, rows, 40)
    scale = 2 * float(moments(features).covariance().trace())
    assert 0 <= distance(moments(features), moments(features.clone())) <= 1e-9 * scale


@pytest.mark.parametrize("rows", [5, 30, 300])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_never_negative_always_finite_and_symmetric(rows: int, scale: float) -> None:
    """Where a set has fewer rows than features, published programs have returned -341."""
    first, second = drawn(3, rows, 60) * scale, drawn(4, rows + 2, 60) * scale
    there = distance(moments(first), moments(second))
    back = distance(moments(second), moments(first))
    assert numpy.isfinite(there)
    assert there >= 0
    assert there == pytest.approx(back, rel=1e-9, abs=1e-9 * scale**2)


def test_a_feature_that_never_changes_adds_nothing() -> None:
    """Dead channels make covariances singular."""
    first, second = drawn(5, 100, 6), drawn(6, 100, 6)
    dead = torch.full((100, 3), 7.0, dtype=torch.float64)
    with_dead = distance(*(moments(torch.cat([x, dead], dim=1)) for x in (first, second)))
    assert with_dead == pytest.approx(distance(moments(first), moments(second)), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 99))
def test_batches_and_their_order_change_rounding_alone(sizes: list[int], seed: int) -> None:
    rows = drawn(seed, sum(sizes) + 2, 5) + 1e4  # a large mean, where squares would cancel
    whole = moments(rows)
    parts = [moments(part) for part in rows.split([*sizes, 2])]
    merged, streamed = Moments(), Moments()
    for part in reversed(parts):
        merged.merge(part)
    for part_ND in rows.split([2, *sizes]):
        streamed.update(part_ND)
    for other in (merged, streamed):
        assert other.count == whole.count
        torch.testing.assert_close(other.mean(), whole.mean(), rtol=1e-12, atol=0)
        torch.testing.assert_close(other.covariance(), whole.covariance(), rtol=1e-9, atol=1e-9)


def test_the_covariance_is_numpys() -> None:
    rows = drawn(7, 40, 6)
    torch.testing.assert_close(
        moments(rows).covariance(), torch.from_numpy(numpy.cov(rows.numpy(), rowvar=False))
    )


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (torch.zeros(3), "rows, features"),
        (torch.zeros(0, 3), "rows, features"),
        (torch.zeros(2, 3, dtype=torch.int64), "floating point"),
        (torch.tensor([[1.0, float("nan")]]), "NaN"),
    ],
)
def test_features_that_cannot_be_measured_are_refused(features: Tensor, words: str) -> None:
    with pytest.raises(UserError, match=words):
        moments(features)


def test_sets_of_different_networks_are_refused() -> None:
    with pytest.raises(UserError, match="one feature network"):
        distance(moments(torch.rand(9, 3)), moments(torch.rand(9, 4)))
    with pytest.raises(UserError, match="one feature network"):
        moments(torch.rand(9, 3)).update(torch.rand(9, 4))
    with pytest.raises(UserError, match="at least 2"):
        distance(moments(torch.rand(1, 3)), moments(torch.rand(9, 3)))


def means(frames_BTHWC: Tensor) -> Tensor:
    """A feature network of three features: the mean colour of a clip."""
    return frames_BTHWC.mean(dim=(1, 2, 3))[:, None]


def clips(seed: int, count: int) -> Tensor:
    return torch.rand(count, 2, 3, 3, 3, generator=torch.Generator().manual_seed(seed))


def measured(real: Tensor, predicted: Tensor, *, allow_few: bool = False) -> FrechetDistance:
    metric = FrechetDistance(means, keep=True, allow_few=allow_few)
    for name, frames in ((REAL, real), ("copy", predicted)):
        for batch in frames.split(3):
            metric.update(name, batch)
    return metric


def test_the_result_states_how_many_clips_it_rests_on() -> None:
    real, predicted = clips(0, 10), clips(1, 8)
    result = measured(real, predicted).result("copy")
    expected = distance(moments(means(real)[:, 0]), moments(means(predicted)[:, 0]))
    assert result.value == pytest.approx(expected, rel=1e-9)
    assert (result.real, result.predicted, result.features) == (10, 8, 3)
    assert result.low is None


def test_too_few_clips_are_refused_unless_asked_for() -> None:
    few = measured(clips(0, 9), clips(1, 3))
    with pytest.raises(UserError, match=r"3 rows of features.* needs at least 4"):
        few.result("copy")
    assert measured(clips(0, 9), clips(1, 3), allow_few=True).result("copy").predicted == 3


def test_a_set_that_was_never_given_is_named() -> None:
    with pytest.raises(UserError, match="the set other"):
        measured(clips(0, 9), clips(1, 9)).result("other")


def test_the_interval_is_repeatable_and_holds_the_value() -> None:
    metric = measured(clips(0, 30), clips(1, 30))
    result = metric.result("copy", seed=3, resamples=50)
    assert metric.result("copy", seed=3, resamples=50) == result
    assert metric.result("copy", seed=4, resamples=50) != result
    assert result.low is not None
    assert result.high is not None
    assert 0 <= result.low < result.value < result.high


def test_drawn_distances_are_moved_to_have_the_value_as_their_mean() -> None:
    """Sets with clips twice are farther apart; two draws lie evenly about their mean."""
    real, predicted = drawn(0, 12, 3)[:, None], drawn(1, 12, 3)[:, None]
    ends = [interval(value, real, predicted, seed=0, resamples=2) for value in (100.0, 300.0)]
    for value, (low, high) in zip((100.0, 300.0), ends, strict=True):
        assert low < high
        assert (low + high) / 2 == pytest.approx(value)


def test_without_kept_features_there_is_no_interval() -> None:
    metric = FrechetDistance(means, keep=False)
    metric.update(REAL, clips(0, 9))
    metric.update("copy", clips(1, 9))
    with pytest.raises(UserError, match="keep them"):
        metric.result("copy", resamples=5)


def test_clips_of_one_origin_are_drawn_together() -> None:
    """A prediction that equals the truth has distance 0 in every drawing, so no spread."""
    features = drawn(8, 30, 2)[:, None]
    low, high = interval(0.0, features, features.clone(), seed=0, resamples=20)
    assert (low, high) == pytest.approx((0, 0), abs=1e-9)


def test_the_interval_covers_the_expected_distance() -> None:
    """Over repeated draws of both sets it holds the mean of their distances about 95 % of times."""
    pairs = []
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        first, second = torch.randn(2, 40, 1, 2, generator=generator, dtype=torch.float64)
        pairs.append((first, 2 * second + 1))
    values = [distance(moments(a[:, 0]), moments(b[:, 0])) for a, b in pairs]
    expected = sum(values) / len(values)
    ends = [
        interval(value, a, b, seed=0, resamples=100)
        for value, (a, b) in zip(values, pairs, strict=True)
    ]
    covered = sum(low <= expected <= high for low, high in ends)
    assert 0.8 * len(ends) <= covered <= len(ends)
