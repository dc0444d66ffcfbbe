"""Best of N: brute force, its order, more samples never hurt, and bad input."""

import itertools
from typing import get_args

import pytest
import torch

from foreframe.evaluation.best import Best, best
from foreframe.metrics.frames import Better

HOW: tuple[Best, ...] = get_args(Best)
DIRECTIONS: tuple[Better, ...] = get_args(Better)


def scores(samples: int) -> torch.Tensor:
    """Return random scores (6 clips, samples, 5 frames)."""
    return torch.randn(6, 100, 5, generator=torch.Generator().manual_seed(0))[:, :samples]


def naive(values: torch.Tensor, how: Best, better: Better) -> list[list[float]]:
    """Return the same by loops, straight from the words."""
    choose = max if better == "higher" else min
    rows = []
    for clip in values.double().tolist():
        if how == "none":
            rows.append([sum(column) / len(clip) for column in zip(*clip, strict=True)])
        elif how == "frame":
            rows.append([choose(column) for column in zip(*clip, strict=True)])
        else:
            rows.append(choose(clip, key=lambda sample: sum(sample) / len(sample)))
    return rows


@pytest.mark.parametrize("better", DIRECTIONS)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("samples", [1, 7])
def test_equals_brute_force(how: Best, better: Better, samples: int) -> None:
    found = best(scores(samples), how, better)
    expected = torch.tensor(naive(scores(samples), how, better), dtype=torch.float64)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("how", HOW)
def test_of_one_sample_all_are_that_sample(how: Best) -> None:
    assert torch.equal(best(scores(1), how, "higher"), scores(1)[:, 0].double())


@pytest.mark.parametrize("how", ["sequence", "frame"])
@pytest.mark.parametrize("better", DIRECTIONS)
def test_more_samples_are_never_worse(how: Best, better: Better) -> None:
    sign = 1 if better == "higher" else -1
    means = [sign * best(scores(count), how, better).mean(dim=1) for count in (1, 2, 5, 10, 100)]
    for fewer, more in itertools.pairwise(means):
        assert bool((more >= fewer).all())
    assert bool((means[-1] > means[0]).any())


@pytest.mark.parametrize("better", DIRECTIONS)
def test_each_frame_apart_inflates_most(better: Better) -> None:
    sign = 1 if better == "higher" else -1
    none, sequence, frame = (sign * best(scores(10), how, better).mean(dim=1) for how in HOW)
    assert bool((none < sequence).all())
    assert bool((sequence < frame).all())


def test_the_order_of_samples_does_not_matter() -> None:
    for how in HOW:
        torch.testing.assert_close(
            best(scores(9), how, "lower"), best(scores(9).flip(1), how, "lower")
        )


def test_of_equal_samples_the_first_counts() -> None:
    values = torch.tensor([[[1.0, 3.0], [3.0, 1.0]]])
    assert best(values, "sequence", "higher").tolist() == [[1, 3]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.zeros(2, 0, 3), "at least one"),
        (torch.zeros(2, 3), "must be"),
        (torch.full((1, 2, 3), float("nan")), "hold NaN"),
        (torch.zeros(1, 2, 3, dtype=torch.int64), "give floating point"),
    ],
)
def test_what_are_no_scores_is_refused(values: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        best(values, "none", "higher")
