"""Laws of choosing codes: argmax, exact draws, top-k and top-p, and doubt under rounding."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foreframe.config.sampling import Choice
from foreframe.priors import choosing
from foreframe.randomness import Draws

ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
DRAWS = 40_000


def drawing(**changes: Any) -> Choice:
    values = {"mode": "sample", "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    return Choice.model_validate(values | changes)


def frequencies(logits: torch.Tensor, choice: Choice) -> torch.Tensor:
    noise = Draws.first(0, [5]).gumbel("top", (0, 0), (DRAWS, len(logits)))[0]
    codes = choosing.pick(logits.expand(DRAWS, -1), choice, noise)
    return torch.bincount(codes, minlength=len(logits)) / DRAWS


def test_argmax_takes_the_lowest_of_equal_codes() -> None:
    logits = torch.tensor([[0.0, 2.0, 2.0, 1.0], [3.0, 3.0, 3.0, 3.0]])
    assert choosing.pick(logits, ARGMAX, None).tolist() == [1, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_have_the_probabilities_of_the_softmax(temperature: float) -> None:
    logits = torch.tensor([0.3, -1.0, 2.0, 0.0])
    expected = (logits / temperature).softmax(dim=0)
    found = frequencies(logits, drawing(temperature=temperature))
    # Five standard deviations of a frequency.
    assert ((found - expected).abs() < 5 * (0.25 / DRAWS) ** 0.5).all()


def test_a_low_temperature_is_argmax() -> None:
    logits = torch.tensor([0.3, -1.0, 0.4, 0.0])
    assert frequencies(logits, drawing(temperature=1e-4)).tolist() == [0, 0, 1, 0]


def test_top_k_and_top_p_renormalize_what_they_keep() -> None:
    probabilities = torch.tensor([0.1, 0.4, 0.2, 0.3])
    logits = probabilities.log()
    for choice, expected in (
        (drawing(top_k=2), [0, 4 / 7, 0, 3 / 7]),
        (drawing(top_p=0.65), [0, 4 / 7, 0, 3 / 7]),
        (drawing(top_p=0.75), [0, 4 / 9, 2 / 9, 3 / 9]),
        # Of the three that top-k keeps, two have 7/9 = 0.78 of the probability.
        (drawing(top_k=3, top_p=0.75), [0, 4 / 7, 0, 3 / 7]),
        (drawing(top_k=4, top_p=1.0), probabilities.tolist()),
        (drawing(top_k=99), probabilities.tolist()),
        (drawing(top_k=1), [0, 1, 0, 0]),
        (drawing(top_p=1e-9), [0, 1, 0, 0]),
    ):
        found = frequencies(logits, choice)
        assert ((found - torch.tensor(expected)).abs() < 0.013).all(), choice
        assert ((found > 0) == (torch.tensor(expected) > 0)).all(), choice


def test_codes_of_equal_logits_are_kept_together() -> None:
    logits = torch.tensor([1.0, 2.0, 1.0, 0.0])
    assert choosing.kept(logits, drawing(top_k=2), 0.0).tolist() == [True, True, True, False]


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 6),
    top_k=st.integers(0, 6),
    top_p=st.sampled_from([0.2, 0.5, 0.9, 1.0]),
    temperature=st.sampled_from([0.3, 1.0, 4.0]),
    mode=st.sampled_from(["argmax", "sample"]),
)
def test_what_an_error_can_change_is_doubted(
    seed: int, count: int, top_k: int, top_p: float, temperature: float, mode: str
) -> None:
    choice = drawing(top_k=top_k, top_p=top_p, temperature=temperature)
    choice = ARGMAX if mode == "argmax" else choice
    numbers = torch.Generator().manual_seed(seed)
    slack = 0.1
    logits = torch.randn(200, count, generator=numbers).double()
    noise = -torch.log(-torch.log(torch.rand(200, count, generator=numbers).double()))
    doubt = choosing.doubtful(logits, choice, noise, slack)
    chosen = choosing.pick(logits, choice, noise)
    for _ in range(5):
        # The worst errors are at the bounds.
        signs = torch.randint(2, logits.shape, generator=numbers) * 2 - 1
        other = choosing.pick(logits + 0.999 * slack * signs, choice, noise)
        assert (doubt | (other == chosen)).all()


def test_doubt_is_rare() -> None:
    logits, noise = torch.randn(2000, 64), Draws.first(0, [0]).gumbel("top", (0, 0), (2000, 64))
    # Gumbel's two largest scores are an exponential variable apart: P(gap <= 2 slack) = 2 slack.
    share = choosing.doubtful(logits, drawing(), noise[0], 0.01).float().mean().item()
    assert share == pytest.approx(0.02, abs=0.015)


@pytest.mark.parametrize(
    "change", [{"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.9}], ids=["T", "k", "p"]
)
def test_argmax_refuses_settings_that_it_would_ignore(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="argmax uses no temperature"):
        drawing(mode="argmax", **change)
