"""Activations computed again: every network's gradients stay what they were, and less is kept."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe.models import Model
from foreframe.networks.dropout import Dropout
from foreframe.networks.recomputed import Layers, Recomputed, recomputing
from foreframe.randomness import Numbers, generator
from foreframe.training.objective import Moment
from tests.foreframe.models import every
from workflow import passes

# They have nothing that is worth it: a few numbers a step, or steps of a flow that go back by
# themselves.
SMALL = {"sequence_vae", "glow"}
EVERY = [pytest.param(kind, make, id=kind) for (_, kind), make in every.KINDS.items()]


def some(value: Any, numbers: Numbers) -> Any:
    """Return numbers for what has none, codes 0 and 1."""
    if isinstance(value, Mapping):
        return {name: some(each, numbers) for name, each in value.items()}
    if value.is_floating_point():
        return numbers.uniform(value.shape)
    return numbers.integers(0, 2, value.shape)


def step_of(make: Callable[[], Model], *, asked: bool) -> tuple[list[Tensor], int]:
    """Return all gradients and what has moved in a step, and the bytes that were kept for it."""
    model = make().float().train()
    model.initialize(generator(0, "weights"))
    batch = some(passes.example(model, 2), generator(0, "batch"))
    objective, found, kept = model.objective(), [], 0
    for index, turn in enumerate(objective.turns):
        counted = passes.Kept(model)
        moment = Moment(0, 1, 0, 0, 1, generator(0, "step", index))
        with counted, recomputing(asked=asked):
            losses = objective.losses(batch, moment, turn)
        kept += counted.bytes
        for player in objective.players:
            if player.name in turn:
                loss, weights = losses[player.name]["loss"], player.weights()
                grads = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
                found += [loss, *(each for each in grads if each is not None)]
    return [*found, *model.buffers()], kept


@pytest.mark.parametrize(("kind", "make"), EVERY)
def test_gradients_and_buffers_are_the_same_bytes_and_less_is_kept(
    kind: str, make: Callable[[], Model]
) -> None:
    expected, whole = step_of(make, asked=False)
    found, kept = step_of(make, asked=True)
    assert len(found) == len(expected) > 2
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert kept < whole or kind in SMALL


class Counted(Recomputed):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.layers = nn.Sequential(nn.Linear(4, 4), self.norm, Layers(nn.Linear(4, 4)))
        self.times = 0

    def forward(self, x_BF: Tensor, dropout: Dropout) -> Tensor:
        self.times += 1
        return dropout(self.layers(x_BF))


def _mean(part: Counted) -> Tensor:
    assert part.norm.running_mean is not None
    return part.norm.running_mean


def test_a_part_is_computed_again_for_each_way_back_with_the_same_masks() -> None:
    part, x_BF = Counted(), torch.ones(8, 4) * torch.arange(8)[:, None]
    dropout = Dropout(0.5, generator(0, "dropout"))
    with recomputing():
        made_BF = part(x_BF, dropout=dropout)
    moved = _mean(part).clone()
    again = [
        torch.autograd.grad(made_BF.sum(), [*part.parameters()], retain_graph=kept)
        for kept in (True, False)
    ]
    assert part.times == 3
    assert torch.equal(_mean(part), moved)
    assert all(torch.equal(one, other) for one, other in zip(*again, strict=True))
    # The numbers stand where the first pass has left them.
    other = Dropout(0.5, generator(0, "dropout"))
    part(x_BF, other)
    assert torch.equal(dropout(torch.ones(100)), other(torch.ones(100)))


def test_where_nothing_goes_back_nothing_is_wrapped() -> None:
    part = Counted().eval()
    with torch.no_grad(), recomputing():
        part(torch.ones(2, 4), Dropout(0.0, None))
    assert part.times == 1
