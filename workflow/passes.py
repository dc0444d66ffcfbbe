"""What a forward pass of a network takes and keeps, counted without numbers on the meta device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from foreframe.autoencoders import Autoencoder
from foreframe.classifiers import Classifier
from foreframe.models import Model
from foreframe.predictors.learned import LearnedPredictor
from foreframe.priors import Prior
from foreframe.randomness import generator
from foreframe.training.objective import Moment, Objective
from stages import train_classifier, train_predictor, train_prior

# What torch says of a loss that looks at its numbers, which are none on the meta device, and of one
# that has a gradient in it, which the counter of operations cannot follow.
UNCOUNTED = ("meta", "autograd.grad()")


def pass_of(model: Model, batch: int) -> tuple[int, int] | None:
    """Return the operations of the forward passes of a step, and the bytes that the largest keeps.

    None where that cannot be counted; see `UNCOUNTED`.
    """
    return taken(model.objective(), example(model, batch))


def taken(objective: Objective[Any], batch: Any) -> tuple[int, int] | None:
    """Return the same of a batch; players that move in turns have a pass each."""
    operations, kept = 0, 0
    for turn in objective.turns:
        saved = Kept(objective.model)
        try:
            with FlopCounterMode(display=False) as counter, saved:
                objective.losses(batch, moment(), turn)
        except RuntimeError as error:
            if not any(words in str(error) for words in UNCOUNTED):
                raise
            return None
        operations, kept = operations + counter.get_total_flops(), max(kept, saved.bytes)
    return operations, kept


def example(model: Model, batch: int) -> dict[str, Any]:
    """Return a batch as a model's loss takes it, without numbers, on the meta device."""
    if isinstance(model, Autoencoder):
        one: Any = {"x": model.given.clip()}
    elif isinstance(model, Prior):
        one = train_prior.one_clip(model)
    elif isinstance(model, Classifier):
        one = train_classifier.one_clip(model)
    else:
        assert isinstance(model, LearnedPredictor)
        one = train_predictor.one_clip(model)
    return _of_many(one, batch)


def _of_many(value: Any, count: int) -> Any:
    if isinstance(value, Mapping):
        return {name: _of_many(each, count) for name, each in value.items()}
    assert isinstance(value, Tensor)
    return value.new_empty((count, *value.shape[1:]))


def moment() -> Moment:
    """Return that of the first of one step."""
    return Moment(0, 1, 0, 0, 1, generator(0, "plan"))


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that a forward pass keeps for the backward pass, each memory once.

    Weights are kept anyway and do not count.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(self._note, lambda kept: kept)
        self._own = {_memory(part) for part in (*model.parameters(), *model.buffers())}
        self._seen: dict[int, int] = {}
        self._held: list[Tensor] = []  # so that no memory is given to another tensor meanwhile

    @property
    def bytes(self) -> int:
        """What was kept so far."""
        return sum(self._seen.values())

    def _note(self, tensor: Tensor) -> Tensor:
        place = _memory(tensor)
        if place not in self._own and place not in self._seen:
            self._seen[place] = tensor.untyped_storage().nbytes()
            self._held.append(tensor)
        return tensor


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
