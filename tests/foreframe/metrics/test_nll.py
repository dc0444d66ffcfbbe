"""Negative log-likelihood: known distributions, units, and streaming."""

import math

import pytest
import torch

from foreframe.metrics.nll import NegativeLogLikelihood, bits, chance, perplexity


def test_a_known_categorical_gives_its_cross_entropy() -> None:
    probabilities = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
    codes = torch.tensor([0, 0, 0, 0, 1, 1, 2, 3]).reshape(2, 1, 2, 2)
    nll = NegativeLogLikelihood()
    nll.update(probabilities.log()[codes])
    assert bits(nll.nats()) == pytest.approx(1.75, rel=1e-12)


def test_a_uniform_model_is_at_chance() -> None:
    nll = NegativeLogLikelihood()
    nll.update(torch.zeros(3, 512, 2, 2, 2).log_softmax(dim=1)[:, 7])
    assert nll.nats() == pytest.approx(chance(512), rel=1e-6)
    assert perplexity(chance(512)) == pytest.approx(512)
    assert bits(chance(512)) == pytest.approx(9)


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_streaming_equals_the_whole(batch: int) -> None:
    log_prob = -torch.rand(5, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    streamed, whole = NegativeLogLikelihood(), NegativeLogLikelihood()
    for part in torch.split(log_prob, batch):
        streamed.update(part)
    whole.update(log_prob)
    assert torch.equal(streamed.per_position(), whole.per_position())
    torch.testing.assert_close(whole.per_position(), -log_prob.double().mean(0))
    assert whole.nats() == pytest.approx(-log_prob.double().mean().item(), rel=1e-12)


@pytest.mark.parametrize(
    ("value", "message"),
    [(float("nan"), "diverged"), (-math.inf, "diverged"), (0.1, "above 0")],
)
def test_what_is_no_log_probability_is_refused(value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NegativeLogLikelihood().update(torch.tensor(value).reshape(1, 1, 1, 1))


def test_the_perplexity_of_a_diverged_prior_is_finite() -> None:
    assert math.isfinite(perplexity(4e10))
