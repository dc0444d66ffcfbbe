"""Dropout whose masks are a function of the step: given numbers, and nothing drawn elsewhere.

A mask is asked for as a network computes, so the order of its layers is the order of its draws.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from foreframe.randomness import Numbers, Shape

# SplitMix64's constants as int64, whose products keep the low 64 bits as those of uint64 do.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MIX = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)


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
        dropped = coins(self.numbers, x.shape, self.share, x.device)
        return x.masked_fill(dropped, 0) / (1 - self.share)


NONE = Dropout(0.0, None)


def coins(numbers: Numbers, shape: Shape, share: float, device: torch.device) -> Tensor:
    """Return booleans of which a share in [0, 1), in steps of 2^-16, is true; on the device.

    A mask for every number inside a network is more than can be drawn on the CPU and sent away. So
    one number is drawn, and the device counts on from it: what SplitMix64 (Steele, Lea and Flood
    2014) makes of each count is four coins of 16 bits, the same on a CPU and on a GPU.
    """
    count = math.prod(shape)
    start = int(numbers.integers(-(2**63), 2**63, (1,)))
    bits = torch.arange(1, (count + 3) // 4 + 1, device=device).mul_(_GAMMA).add_(start)
    for shift, factor in ((30, _MIX[0]), (27, _MIX[1])):
        bits = (bits ^ _shifted(bits, shift)).mul_(factor)
    lanes = (bits ^ _shifted(bits, 31)).view(torch.int16)[:count]
    return lanes.view(tuple(shape)) < round(share * 2**16) - 2**15


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Return int64 shifted to the right as if it had no sign."""
    return (bits >> by) & (2 ** (64 - by) - 1)
