"""A turn's forward and backward passes, over a batch in one piece or shard by shard."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from foreframe.networks.shards import Follower, Notes, gathering
from foreframe.training.objective import Losses
from foreframe.training.optimization import Mover
from foreframe.training.samples import Batch
from foreframe.training.sharding import Adder, Shards

Movers = Mapping[str, Mover]  # of a turn's players, in its order
# What asks an objective for the losses of a part of a batch: a shard's by its number, or None.
Ask = Callable[[Batch, int | None], Losses]


@dataclass(frozen=True)
class Seen:
    """What the passes of a turn give.

    Attributes:
        gradients: by player and weight, of the whole batch; None for weights that are not reached.
        losses: by player, of the whole batch.
        parts: of each shard that this process computes, by its number: losses, and its samples.
        notes: what modules are yet to follow, of the whole batch.
    """

    gradients: Mapping[str, Sequence[Tensor | None]]
    losses: Mapping[str, Tensor]
    parts: Mapping[int, tuple[Losses, int]]
    notes: Sequence[tuple[Follower, Sequence[Tensor]]]


def whole(ask: Ask[Batch], movers: Movers, samples: int, batch: Batch) -> Seen:
    """Let a batch go through the model in one piece."""
    losses = ask(batch, None)
    gradients = {name: _gradient(name, movers, losses[name]["loss"]) for name in movers}
    of_all = {name: losses[name]["loss"].detach() for name in movers}
    return Seen(gradients, of_all, {0: (losses, samples)}, ())


def by_shards(
    model: nn.Module,
    ask: Ask[Batch],
    movers: Movers,
    shards: Shards,
    samples: int,
    batch: Batch | None,
    device: torch.device,
) -> Seen:
    """Let the shards of a batch go through the model one by one; add up what they give.

    All see the model as it was before the turn. Buffers that move with a shard, such as the moving
    averages of a batch norm, then move by the mean; what a module notes is summed up. `batch` has
    this process's rows of the `samples` there are; None if it has none.
    """
    filled = shards.filled(samples)
    adder = Adder(shards.crew, device, whole=filled == shards.count)
    parts: dict[int, tuple[Losses, int]] = {}
    buffers = _Buffers(model)
    for number, part, count in shards.cut(samples, batch):
        if part is None:
            adder.add(None)
            continue
        notes, share = Notes(number, filled), count / samples
        with gathering(notes):
            losses = ask(part, number)
        given: dict[str, Tensor] = {}
        for name in movers:
            given |= _player(name, movers, losses[name]["loss"] * share)
        # Copies: what is logged may be a buffer.
        parts[number] = ({name: _copied(each) for name, each in losses.items()}, count)
        given |= buffers.moved(share)
        given |= _noted(model, notes)
        adder.add(given)
    total = adder.total()
    buffers.move(total)
    return Seen(
        {name: _reached(total, name) for name in movers},
        {name: total[f"loss {name}"] for name in movers},
        parts,
        _notes(model, total),
    )


class _Buffers:
    """A model's buffers, as they were before the turn."""

    def __init__(self, model: nn.Module) -> None:
        self._now = dict(model.named_buffers())
        self._before = {name: value.clone() for name, value in self._now.items()}
        self._counted: dict[str, Tensor] = {}  # whole numbers, which all shards move alike

    def moved(self, share: float) -> Iterator[tuple[str, Tensor]]:
        """Yield by how much a shard has moved them, as its share; they are as before then."""
        for name, value in self._now.items():
            if value.dtype == torch.float32:
                yield f"buffer {name}", (value - self._before[name]) * share
            else:
                self._counted[name] = value.clone()
            value.copy_(self._before[name])

    def move(self, total: Mapping[str, Tensor]) -> None:
        """Move them by what all shards have given."""
        for name, value in self._now.items():
            if value.dtype == torch.float32:
                value += total[f"buffer {name}"]
            elif name in self._counted:
                value.copy_(self._counted[name])


def _gradient(name: str, movers: Movers, loss: Tensor) -> list[Tensor | None]:
    # The graph serves all players of the turn.
    return movers[name].gradient(loss, again=name != [*movers][-1])


def _player(name: str, movers: Movers, loss: Tensor) -> Iterator[tuple[str, Tensor]]:
    found, weights = _gradient(name, movers, loss), movers[name].weights
    for place, (gradient, weight) in enumerate(zip(found, weights, strict=True)):
        given = torch.zeros_like(weight) if gradient is None else gradient
        yield f"gradient {name} {place}", given
    yield f"reached {name}", loss.new_tensor([gradient is not None for gradient in found])
    yield f"loss {name}", loss


def _reached(total: Mapping[str, Tensor], name: str) -> list[Tensor | None]:
    """Return a player's gradient, None for weights that no shard's loss reaches."""
    return [
        total[f"gradient {name} {place}"] if shards > 0 else None
        for place, shards in enumerate(total[f"reached {name}"].tolist())
    ]


def _copied(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in values.items()}


def _noted(model: nn.Module, notes: Notes) -> Iterator[tuple[str, Tensor]]:
    names = {id(module): name for name, module in model.named_modules()} if notes.pages else {}
    for page, (module, sums) in enumerate(notes.pages):
        for place, each in enumerate(sums):
            yield f"note {names[id(module)]} {page} {place}", each


def _notes(model: nn.Module, total: Mapping[str, Tensor]) -> list[tuple[Follower, list[Tensor]]]:
    """Return which module follows which sums, in the order in which they were noted."""
    pages: dict[tuple[str, str], list[Tensor]] = {}
    for name, value in total.items():
        kind, *rest = name.split(" ")
        if kind == "note":
            pages.setdefault((rest[0], rest[1]), []).append(value)
    modules = dict(model.named_modules())
    return [(cast(Follower, modules[name]), sums) for (name, _), sums in pages.items()]
