"""Running averages, and what is reported of code counts."""

import math

import pytest
import torch

from foreframe.training.tally import Tally, usage


def test_scalars_are_weighted_by_samples() -> None:
    tally = Tally()
    tally.add({"loss": torch.tensor(1.0)}, 3)
    tally.add({"loss": torch.tensor(5.0)}, 1)
    assert tally.averages() == {"loss": 2.0}


def test_a_name_is_averaged_over_the_samples_that_it_was_reported_for() -> None:
    tally = Tally()
    tally.add({"critic_loss": torch.tensor(1.0)}, 3)
    tally.add({"generator_loss": torch.tensor(2.0)}, 5)
    assert tally.averages() == {"critic_loss": 1.0, "generator_loss": 2.0}


def test_counts_are_added_up_before_they_are_judged() -> None:
    tally = Tally()
    tally.add({"codes_top": torch.tensor([4.0, 0.0, 0.0, 0.0])}, 1)
    tally.add({"codes_top": torch.tensor([0.0, 4.0, 0.0, 0.0])}, 7)
    assert tally.averages() == {"usage_top": 0.5, "perplexity_top": pytest.approx(2.0)}


@pytest.mark.parametrize(
    ("counts", "share", "perplexity"),
    [
        ([5.0, 5.0, 5.0, 5.0], 1.0, 4.0),
        ([9.0, 0.0, 0.0, 0.0], 0.25, 1.0),
        ([1.0, 3.0], 1.0, math.exp(0.25 * math.log(4) + 0.75 * math.log(4 / 3))),
        ([0.0, 0.0], 0.0, 1.0),
    ],
)
def test_usage_and_perplexity(counts: list[float], share: float, perplexity: float) -> None:
    assert usage(torch.tensor(counts)) == pytest.approx((share, perplexity))
