"""Parts of networks whose activations are computed again for the backward pass, not kept.

What a part was given is kept, and nothing that it made on the way; the backward pass runs the part
once more (Chen et al. 2016). The graph of gradients is the same one, so they are the same bytes.
A network's author derives its large parts from `Recomputed`; whether a run keeps or recomputes is
chosen from outside, by `recomputing`.
"""

import contextlib
import copy
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as trees
from torch.utils.checkpoint import checkpoint

from foreframe.networks.dropout import Dropout

_asked: ContextVar[bool] = ContextVar("recomputing", default=False)


@contextlib.contextmanager
def recomputing(*, asked: bool = True) -> Iterator[None]:
    """While entered, every outermost `Recomputed` keeps nothing but what it was given."""
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


class Recomputed(nn.Module):
    """A part of a network that may be computed twice.

    All random numbers that it uses come with a `Dropout` that it is given: its masks are drawn
    again. Buffers that it moves, such as those of a batch normalisation, move the first time alone.
    """

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Return what `forward` does."""
        if not (_asked.get() and torch.is_grad_enabled()):
            return super().__call__(*inputs, **named)
        leaves, tree = trees.tree_flatten((inputs, named))
        others = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        # Copies of random numbers, as they stand before the part has drawn any.
        begun, first = [_copied(other) for other in others], True
        act = super().__call__

        def run(*tensors: Tensor) -> Any:
            nonlocal first
            rest, given = others if first else [_copied(each) for each in begun], iter(tensors)
            moved = [] if first else [(buffer, buffer.clone()) for buffer in self.buffers()]
            first = False
            filled = [
                next(given) if isinstance(leaf, Tensor) else other
                for leaf, other in zip(leaves, rest, strict=True)
            ]
            again, names = trees.tree_unflatten(filled, tree)
            try:
                with recomputing(asked=False):
                    return act(*again, **names)
            finally:
                # Also where torch has all it needs and leaves before the part is through.
                for buffer, before in moved:
                    buffer.copy_(before)

        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        return checkpoint(run, *tensors, use_reentrant=False, preserve_rng_state=False)


class Layers(Recomputed, nn.Sequential):
    """Layers one after the other, as one such part."""


def _copied(thing: Any) -> Any:
    return copy.deepcopy(thing) if isinstance(thing, Dropout) else thing
