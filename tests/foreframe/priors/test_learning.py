"""What learning must do: one clip by heart, and nothing from codes that follow no law."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from foreframe.priors import AutoregressivePrior
from foreframe.randomness import generator
from tests.foreframe.priors import tiny

Make = Callable[..., AutoregressivePrior]


def learn(
    prior: AutoregressivePrior,
    draw: Callable[[int], Tensor],
    given: Callable[[int], dict[str, Tensor]],
    steps: int,
) -> None:
    """Take `steps` steps of Adam on the codes (B,T,H,W) that `draw` gives for each step."""
    prior.train()
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.01)
    for step in range(steps):
        optimizer.zero_grad()
        loss = -prior.log_prob(draw(step), prior.condition(given(step))).mean()
        loss.backward()
        optimizer.step()
    prior.eval()


def nats(prior: AutoregressivePrior, codes_BTHW: Tensor, given: dict[str, Tensor]) -> float:
    with torch.no_grad():
        return -float(prior.log_prob(codes_BTHW, prior.condition(given)).mean())


@pytest.mark.parametrize("make", [tiny.top, tiny.bottom])
def test_one_clip_is_learned_by_heart(make: Make) -> None:
    prior = make(channels=16)
    codes, given = tiny.codes(prior, 1), tiny.given(prior, 1)
    learn(prior, lambda _: codes, lambda _: given, 200)
    assert nats(prior, codes, given) < 0.02


@pytest.mark.parametrize("make", [tiny.top, tiny.bottom])
def test_codes_without_a_law_are_predicted_no_better_than_by_chance(make: Make) -> None:
    """A leak from a code to its own prediction would beat log K; a sound prior comes near it."""
    prior = make(channels=8)

    def fresh(step: int) -> Tensor:
        shape = (16, *prior.grid)
        return generator(1, "fresh", step).integers(0, prior.codebook_size, shape)

    learn(prior, fresh, lambda step: tiny.given(prior, 16, step), 150)
    found = nats(prior, fresh(10_000), tiny.given(prior, 16, 10_000))
    chance = math.log(prior.codebook_size)
    assert chance - 0.02 < found < chance + 0.15
