"""Engines: ways to get a prior's logits, code by code, that all lead to the same codes.

An engine is made for a batch of clips whose first `start` codes are given. It then names the order
in which the others can be sampled, and returns logits for the next ones.

Shapes: B clips, N = T*H*W positions in raster order, P positions of one step, K codes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from foreframe.priors import AutoregressivePrior


@dataclass(frozen=True)
class Step:
    """Positions (P,) int64 in raster order that are sampled at once, and the last one of them."""

    positions: Tensor
    last: int


class Engine(ABC):
    """Logits for the next codes of a batch.

    The engine reads `codes_BM` (M = N + 1), which its user fills in as codes are chosen; the last
    column holds K, the code of a position outside the grid.
    """

    def __init__(
        self, prior: AutoregressivePrior, codes_BM: Tensor, start: int, condition: Tensor | None
    ) -> None:
        self.prior = prior
        self.codes_BM = codes_BM
        self.start = start
        self.condition = condition

    @classmethod
    @abstractmethod
    def serves(cls, prior: AutoregressivePrior) -> bool:
        """Return whether the engine samples this prior exactly, and is meant for its device."""

    @classmethod
    @abstractmethod
    def bytes_per_clip(cls, prior: AutoregressivePrior) -> int:
        """Return about how much memory one clip of a batch needs; the weights come on top."""

    @property
    def replayable(self) -> bool:
        """Return whether each step takes the next position and asks the device for the same work.

        Such steps do not depend on `Step.last` being the last position of the step: see `replay`.
        """
        return False

    @abstractmethod
    def schedule(self) -> list[Step]:
        """Return the steps that sample all positions from `start` on, each of them once."""

    @abstractmethod
    def logits(self, step: Step) -> Tensor:
        """Return logits (B,P,K) for a step; all steps before it have been taken."""
