"""What a metric of predicted frames is to protocols and tables; a kind of metric is a file.

The file `foreframe/metrics/NAME.py` of the metric NAME defines `metric(weights, device)`, which
returns it with what it finds in the folder of weights.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from foreframe.metrics.frames import Better

# (real_BTHWC, predicted_BTHWC) -> one number for each frame (B, T)
Compare = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Found:
    """A set's value, or why there is none.

    Attributes:
        value: of the set, or the mean over repeats.
        low: lower end of its interval, if there is one.
        high: its upper end.
        missing: why there is no value.
        few: whether the set is too small for a covariance of full rank: biased upwards.
        std: standard deviation over repeats; None for a single one.
        repeats: of how many sets it is the mean.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    missing: str | None = None
    few: bool = False
    std: float | None = None
    repeats: int = 1


@dataclass(frozen=True)
class Wanted:
    """What is asked of a metric of whole sets.

    Attributes:
        few: whether it is computed where a covariance has not full rank.
        interval: whether it comes with an interval, for which features of all clips are kept.
    """

    few: bool
    interval: bool


class Accumulator(ABC):
    """Compares sets of clips with the set `frechet.REAL` of true ones."""

    @abstractmethod
    def update(self, name: str, frames_BTHWC: Tensor) -> None:
        """Add clips to the set `name`, uint8 or floating point in [0, 1].

        Raises:
            UserError: clips that the metric cannot take: too short, too small, or no frames.
        """

    @abstractmethod
    def result(self, name: str) -> Found:
        """Return what the set `name` scores."""


@dataclass(frozen=True)
class Metric:
    """One metric of predicted frames; one of `compare`, `accumulate` and `missing` is set.

    Attributes:
        name: as protocols, tables and files call it.
        variant: every choice that changes its numbers, in words.
        better: which of two values is the better one, higher or lower.
        unit: of its numbers, empty or 1 for none.
        digest: of its feature network, 64 hexadecimal digits, or None if it has none.
        compare: computes it for each frame.
        amounts: where it compares amounts of something, returns those of each true and predicted
            frame (B, T, 2).
        accumulate: starts to compute it for whole sets, as it is wanted.
        missing: why it cannot be computed here, and the cure.
    """

    name: str
    variant: str
    better: Better
    unit: str
    digest: str | None = None
    compare: Compare | None = None
    amounts: Compare | None = None
    accumulate: Callable[[Wanted], Accumulator] | None = None
    missing: str | None = None
