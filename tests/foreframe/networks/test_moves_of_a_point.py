"""A point takes steps in four directions: modules become these, and the latent falls silent.

The smallest world of the document's (Castrejon 2022, 8.5), without pictures: a slot is made of a
place, and shows one.
"""

import pytest
import torch
from torch import Tensor, nn

from foreframe.metrics import matching
from foreframe.networks import initialization
from foreframe.networks.modular_transition import (
    CERTAIN,
    Drawing,
    ModularTransition,
    TransitionSettings,
)
from foreframe.networks.noise import Fresh
from foreframe.randomness import Numbers, generator

DIM, FEATURES, SIDE, STEPS, BATCH = 64, 32, 16 / 3, 4000, 48
MOVES = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
DEVIATION = 0.5 / 3  # of a place, in steps


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs)
    )


def steps(numbers: Numbers, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return places (B,2) from -1 to 1, those after a step, and which of MOVES it was (B,)."""
    place = (SIDE - 0.7) * (2 * numbers.uniform((count, 2)) - 1) / SIDE
    move = (4 * numbers.uniform((count,))).long().clamp(max=3)
    leaves = (place + MOVES[move] / SIDE).abs().amax(dim=1) > 1
    move = torch.where(leaves, move ^ 1, move)
    return place, place + MOVES[move] / SIDE, move


@pytest.mark.slow  # a minute of training
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_modules_become_moves_and_the_latent_says_nothing_more(seed: int) -> None:
    world = nn.ModuleDict(
        {
            "slot": nn.Sequential(perceptron(2, DIM), nn.LayerNorm(DIM)),
            "seen": nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, FEATURES)),
            "shown": perceptron(DIM, 2),
            "transition": ModularTransition(
                DIM,
                FEATURES,
                TransitionSettings(modules=5, trunk=128, module=128, latent=32, key=32),
            ),
        }
    )
    initialization.initialize(world, generator(seed, "weights"))
    transition = world["transition"]
    assert isinstance(transition, ModularTransition)
    optimizer = torch.optim.Adam(world.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, 4 * (1 - step / STEPS))
    )
    noise = Fresh(generator(seed, "noise"), BATCH, torch.device("cpu"))
    numbers = generator(seed, "steps")

    def error(slots_BKD: Tensor, place_B2: Tensor) -> Tensor:
        apart_B2 = (world["shown"](slots_BKD[:, 0]) - place_B2) * SIDE
        return apart_B2.square().sum(dim=1) / (2 * DEVIATION**2)

    for step in range(STEPS):
        before, after, _ = steps(numbers, BATCH)
        slots = world["slot"](before)[:, None]
        moved = transition.infer(
            slots, world["seen"](after)[:, None], Drawing("soft", 1.0, noise), 0, 1
        )
        weight = max(1.0, 4 - 3 * step / 2000)  # as the study's: divergences weigh more at first
        divergence = moved.kl_latent + moved.kl_module
        loss = error(slots, before) + error(moved.slots, after) + weight * divergence
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        before, after, move = steps(generator(seed, "test"), 2000)
        slots, seen = world["slot"](before)[:, None], world["seen"](after)[:, None]
        moved = transition.infer(slots, seen, CERTAIN, 0, 1)
    share, _ = matching.agreement(matching.counts(move, moved.shares[:, 0].argmax(dim=1), 5))
    assert share > 0.9
    assert moved.kl_latent.mean() < 0.3
    assert 1.3 < moved.kl_module.mean() < 1.5  # log 4 is 1.39
