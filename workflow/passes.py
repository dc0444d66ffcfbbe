"""What a forward pass of a network takes and keeps, counted without numbers on the meta device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from foreframe.autoencoders import Autoencoder
from foreframe.classifiers import Classifier
from foreframe.models import Model, SingleLoss
from foreframe.predictors.learned import LearnedPredictor
from foreframe.priors import Prior
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from stages import train_classifier, train_predictor, train_prior


def pass_of(model: Model, batch: int) -> tuple[int, int] | None:
    """Return the operations of a forward pass of a batch, and the bytes that it keeps.

    None where that cannot be counted: a loss has none on the meta device that looks at its numbers.
    """
    if not isinstance(model, SingleLoss):
        return None
    saved = Kept(model)
    try:
        with FlopCounterMode(display=False) as counter, saved:
            model.loss(example(model, batch), _moment())
    except RuntimeError as error:
        if "meta" not in str(error):
            raise
        return None
    return counter.get_total_flops(), saved.bytes


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


def _moment() -> Moment:
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
