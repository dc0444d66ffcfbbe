"""Square roots that have the same bits on every CPU.

torch takes its own from MKL, whose last digits depend on the maker of the CPU: it seems to begin
with an approximation of the CPU's (RSQRTPS), and does not always get rid of its error.
"""

import torch
from torch import Tensor


def root(x: Tensor) -> Tensor:
    """Return the square roots (N,...) of values (N,...), within 1.5 units in the last place.

    By a reciprocal root and its reciprocal, each rounded as IEEE 754 says. At 0 the gradient is no
    number, as it is infinite for torch.
    """
    return torch.rsqrt(x).reciprocal()
