"""Indices of a codebook as grey values: a map of codes is a picture of one channel.

Where the codebook has an order, as noise on its indices gives it (Coppock 2020, 3.2), an index is
an amount and a near one is nearly right; so networks of pictures can model it, and pictures of
half the size are means. Without such an order these values mean little.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from foreframe.randomness import Numbers


@dataclass(frozen=True)
class IndexMap:
    """v = 2 i / (K - 1) - 1, from -1 to 1, for the indices i of `codes` K; of one code, v = -1."""

    codes: int

    @property
    def step(self) -> float:
        """How far the values of neighbouring indices are apart."""
        return 2 / self._last

    def values(self, ids: Tensor) -> Tensor:
        """Return float32 values from -1 to 1, in the shape of the indices, int64 in 0..K-1."""
        return ids.float() * 2 / self._last - 1

    def spread(self, values: Tensor, numbers: Numbers) -> Tensor:
        """Return values in their shape, each moved evenly within half a step to either side.

        Their grid is then gone, by which true values could be told from those of a network; the
        nearest indices are the same.
        """
        moved = numbers.uniform(values.shape, -0.5, 0.5).to(values.device)
        return values + self.step * moved

    def ids(self, values: Tensor) -> Tensor:
        """Return the nearest index of any values, int64 in 0..K-1, in their shape."""
        return torch.round((values + 1) / 2 * self._last).long().clamp(0, self.codes - 1)

    @property
    def _last(self) -> int:
        return max(self.codes - 1, 1)
