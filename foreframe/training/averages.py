"""Averaged weights: copies of modules that follow the trained ones by a moving average.

a <- d a + (1 - d) w after every step, from a = w before the first. Buffers are not averaged but
taken over as they are.
"""

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn


class Averages:
    """The averaged copies of `modules`, which are in eval mode; with decay None there are none."""

    def __init__(self, decay: float | None) -> None:
        self._decay = decay
        self._pairs: list[tuple[nn.Module, nn.Module]] = []

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The copies, in the order of the modules."""
        return tuple(average for _, average in self._pairs)

    def follow(self, modules: Sequence[nn.Module]) -> None:
        """Follow these modules from now on; what was averaged of them before is kept by its name.

        A part that is new, or has another shape, begins with its present weights.
        """
        if self._decay is None:
            return
        before = [average.state_dict() for average in self.modules]
        self._pairs = [(module, copy.deepcopy(module).eval()) for module in modules]
        for average, known in zip(self.modules, before, strict=False):
            now = average.state_dict()
            same = {
                name for name in now.keys() & known.keys() if now[name].shape == known[name].shape
            }
            average.load_state_dict({**now, **{name: known[name] for name in same}})

    @torch.no_grad()
    def begin(self) -> None:
        """Let the averages be the weights as they are."""
        for module, average in self._pairs:
            average.load_state_dict(module.state_dict())

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the weights as they are."""
        if self._decay is None:
            return
        for module, average in self._pairs:
            for weight, mean in zip(module.parameters(), average.parameters(), strict=True):
                mean.lerp_(weight, 1 - self._decay)
            for buffer, last in zip(module.buffers(), average.buffers(), strict=True):
                last.copy_(buffer)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the modules have the averaged weights while the block runs."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for module, average in self._pairs:
            for one, other in zip(module.parameters(), average.parameters(), strict=True):
                one.data, other.data = other.data, one.data

    def state(self) -> dict[str, Tensor]:
        """Return all tensors by name, each of its own shape, as `load` takes them."""
        return {
            f"{place}/{name}": value
            for place, average in enumerate(self.modules)
            for name, value in average.state_dict().items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set all tensors; see `state`."""
        for place, average in enumerate(self.modules):
            average.load_state_dict(
                {name: tensors[f"{place}/{name}"] for name in average.state_dict()}
            )
