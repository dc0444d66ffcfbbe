"""Optimisers against their equations, step sizes, decay and clipping."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe.config.training import (
    Decay,
    Decline,
    HalfCosine,
    OptimizerSettings,
    Plateau,
    Ramp,
)
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from foreframe.training.optimization import Mover
from foreframe.training.schedules import count_stalls, learning_rate, weight_decay
from tests.foreframe.training.games import adam, rmsprop, sgd

STEPS = 5
RATE = 0.1


def follow(settings: OptimizerSettings, penalty: float = 0.0) -> Tensor:
    """Return a weight of 1, in double precision, after steps down w^3 + penalty w^2 / 2."""
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    mover = Mover(settings)
    mover.take([weight], restart=False)
    for _ in range(STEPS):
        loss = weight.pow(3).sum() + 0.5 * penalty * weight.square().sum()
        norm = mover.adopt(mover.gradient(loss, again=False))
        mover.follow(norm, RATE, weight_decay(settings, 0, STEPS))
    return weight.detach()


def expected(update: str, decay: float = 0.0) -> float:
    """Return the same by the equations, whose coefficients stand here and nowhere else."""
    weight, first, second, velocity = 1.0, 0.0, 0.0, 0.0
    for step in range(1, STEPS + 1):
        gradient = 3 * weight**2 + decay * weight * (update != "adamw")
        if update in ("adam", "adamw"):
            first = 0.6 * first + 0.4 * gradient
            second = 0.8 * second + 0.2 * gradient**2
            weight -= RATE * decay * weight * (update == "adamw")
            hat = math.sqrt(second / (1 - 0.8**step)) + 0.01
            weight -= RATE * first / (1 - 0.6**step) / hat
        elif update == "rmsprop":
            second = 0.7 * second + 0.3 * gradient**2
            velocity = 0.5 * velocity + gradient / (math.sqrt(second) + 0.01)
            weight -= RATE * velocity
        else:
            velocity = 0.5 * velocity + gradient
            weight -= RATE * velocity
    return weight


def settings_of(name: str, decay: float) -> OptimizerSettings:
    if name == "rmsprop":
        return rmsprop(smoothing=0.7, momentum=0.5, epsilon=0.01, weight_decay=decay)
    if name == "sgd":
        return sgd(momentum=0.5, weight_decay=decay)
    return adam(kind=name, betas=(0.6, 0.8), epsilon=0.01, weight_decay=decay)


OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_equations(name: str, decay: float) -> None:
    found = follow(settings_of(name, decay))
    assert found.item() == pytest.approx(expected(name, decay), rel=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_is_the_gradient_of_a_penalty_but_for_adamw(name: str) -> None:
    decayed, penalised = follow(settings_of(name, 0.3)), follow(settings_of(name, 0.0), 0.3)
    assert torch.allclose(decayed, penalised, rtol=1e-9) == (name != "adamw")


def test_constant_after_a_linear_warm_up() -> None:
    settings = sgd(schedule="constant", warmup_steps=4, learning_rate=0.4)
    rates = [learning_rate(settings, step, 10, []) for step in range(10)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, *[0.4] * 7])


def test_cosine_falls_from_the_full_step_to_nearly_none() -> None:
    settings = sgd(schedule="cosine", warmup_steps=2, learning_rate=1.0)
    rates = [learning_rate(settings, step, 102, []) for step in range(102)]
    assert rates[2] == 1.0
    assert rates[52] == pytest.approx(0.5)
    assert rates[101] == pytest.approx(0.0, abs=1e-3)
    assert rates[2:] == sorted(rates[2:], reverse=True)


@pytest.mark.parametrize(
    ("values", "patience", "stalls"),
    [
        ([], 1, 0),
        ([3, 2, 1], 1, 0),
        ([1, 1, 1], 1, 2),  # as low as before is not below it
        ([1, 2, 3, 4, 5], 2, 2),
        ([2, 3, 1, 2, 2], 2, 1),
        ([math.inf, math.inf, 1], 2, 1),
    ],
)
def test_a_stall_is_so_many_values_without_a_new_lowest(
    values: Sequence[float], patience: int, stalls: int
) -> None:
    assert count_stalls(values, patience) == stalls
    settings = sgd(schedule=Plateau(factor=0.5, patience=patience), learning_rate=0.8)
    assert learning_rate(settings, 7, 10, values) == 0.8 * 0.5**stalls


@pytest.mark.parametrize(("clip", "length"), [(None, 5.0), (10.0, 5.0), (0.5, 0.5)])
def test_clip_is_on_the_norm_over_all_weights(clip: float | None, length: float) -> None:
    weights = [nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]
    mover = Mover(sgd(clip=clip))
    mover.take(weights, restart=False)
    loss = 3 * weights[0].sum() + 4 * weights[1].sum()
    norm = mover.adopt(mover.gradient(loss, again=False))
    mover.follow(norm, 1.0, 0.0)
    assert norm.item() == 5.0
    moved = torch.cat([weight.detach() for weight in weights])
    torch.testing.assert_close(moved, -torch.tensor([3.0, 4.0]) * length / 5)


def test_a_decline_begins_at_its_step_and_would_end_at_0_after_the_last() -> None:
    settings = sgd(schedule=Decline(begin=6), learning_rate=1.0)
    steps = [learning_rate(settings, step, 10, []) for step in range(10)]
    assert steps == pytest.approx([1] * 7 + [0.75, 0.5, 0.25])


def test_a_decay_is_its_factor_once_in_so_many_steps_after_the_warm_up() -> None:
    settings = sgd(schedule=Decay(factor=0.25, steps=4), warmup_steps=2, learning_rate=0.8)
    rates = [learning_rate(settings, step, 100, []) for step in range(12)]
    assert rates[:3] == pytest.approx([0.4, 0.8, 0.8])
    assert [rate / 0.25 for rate in rates[6:]] == pytest.approx(rates[2:8])
    assert rates[4] == pytest.approx(0.4)


def test_step_size_and_decay_go_from_their_first_to_their_last_number() -> None:
    fall, rise = HalfCosine(first=1.0, last=0.2), HalfCosine(first=0.1, last=0.9)
    settings = sgd(schedule=fall, learning_rate=1.0, weight_decay=rise)
    steps = range(0, 101, 25)
    rates = [learning_rate(settings, step, 100, []) for step in steps]
    decays = [weight_decay(settings, step, 100) for step in steps]
    assert rates[::2] == pytest.approx([1.0, 0.6, 0.2])
    assert [rate + decay for rate, decay in zip(rates, decays, strict=True)] == [
        pytest.approx(1.1)
    ] * 5


def test_a_half_cosine_begins_at_the_step_size() -> None:
    with pytest.raises(ValueError, match=r"begins at 0\.5, and learning_rate is 1\.0"):
        sgd(schedule=HalfCosine(first=0.5, last=0.1), learning_rate=1.0)


def test_a_weight_that_the_loss_does_not_reach_does_not_decay() -> None:
    reached, other = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    mover = Mover(adam(kind="adamw"))
    mover.take([reached, other], restart=False)
    mover.follow(mover.adopt(mover.gradient(reached.sum(), again=False)), RATE, 0.5)
    assert reached.item() < 1.0 == other.item()


@pytest.mark.parametrize("of", ["run", "phase"])
def test_a_ramp_goes_evenly_from_its_first_to_its_last_value(of: Any) -> None:
    ramp = Ramp(first=2.0, last=-1.0, begin=2, steps=3, of=of)

    def at(step: int) -> float:
        run, within = (step, 50) if of == "run" else (50, step)
        return Moment(run, 99, 0, within, 99, generator(0)).ramp(ramp)

    assert [at(step) for step in range(8)] == pytest.approx([2, 2, 2, 1, 0, -1, -1, -1])
