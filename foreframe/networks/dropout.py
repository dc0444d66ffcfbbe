"""Dropout whose masks are a function of the step: given numbers, and nothing drawn elsewhere.

A mask is asked for as a network computes, so the order of its layers is the order of its draws.
"""

from dataclasses import dataclass

from torch import Tensor

from foreframe.randomness import Numbers


@dataclass(frozen=True)
class Dropout:
    """Sets a share of numbers to zero and enlarges the others (Srivastava et al. 2014).

    Attributes:
        share: how many are set to zero, in [0, 1).
        numbers: what masks are drawn from; None outside of training, where nothing is dropped.
    """

    share: float
    numbers: Numbers | None

    @property
    def acts(self) -> bool:
        """Whether anything is dropped."""
        return self.numbers is not None and self.share > 0

    def __call__(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape, with its expectation."""
        if self.numbers is None or self.share == 0:
            return x
        dropped = self.numbers.coins(x.shape, self.share, x.device)
        return x.masked_fill(dropped, 0) / (1 - self.share)


NONE = Dropout(0.0, None)
