"""The random numbers that a network draws in one pass: of a training step, or of futures.

Networks ask by purpose and frame, so that a future's numbers do not depend on what else is drawn.
Shapes: B rows.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from foreframe.randomness import Draws, Numbers, Shape


class Noise(Protocol):
    """Random numbers of B rows, by what they are for and the frame (from 0) they are for."""

    def normal(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard normal numbers (B, *shape)."""

    def gumbel(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard Gumbel numbers (B, *shape)."""


@dataclass(frozen=True)
class Fresh(Noise):
    """Those of a training step or a validation batch, in the order in which they are asked for."""

    numbers: Numbers
    count: int
    device: torch.device

    def normal(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard normal numbers (B, *shape)."""
        return self.numbers.normal((self.count, *shape)).to(self.device)

    def gumbel(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard Gumbel numbers (B, *shape)."""
        uniform = self.numbers.uniform((self.count, *shape), dtype=torch.float64)
        return (-torch.log(-torch.log(uniform))).float().to(self.device)


@dataclass(frozen=True)
class Drawn(Noise):
    """Those of futures: a function of the future, the purpose and the frame, and of nothing else.

    `use` keeps apart what the same future is drawn for: to be seen, or to be scored.
    """

    draws: Draws
    use: str
    device: torch.device

    def normal(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard normal numbers (B, *shape)."""
        return self.draws.normal(f"{self.use} {purpose}", (time,), shape).to(self.device)

    def gumbel(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard Gumbel numbers (B, *shape)."""
        return self.draws.gumbel(f"{self.use} {purpose}", (time,), shape).to(self.device)


@dataclass(frozen=True)
class Shared(Noise):
    """The first row of other numbers, the same for all of `count` rows."""

    noise: Noise
    count: int

    def normal(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard normal numbers (B, *shape)."""
        return self._same(self.noise.normal(purpose, time, shape))

    def gumbel(self, purpose: str, time: int, shape: Shape) -> Tensor:
        """Return standard Gumbel numbers (B, *shape)."""
        return self._same(self.noise.gumbel(purpose, time, shape))

    def _same(self, drawn: Tensor) -> Tensor:
        return drawn[:1].expand(self.count, *drawn.shape[1:])
