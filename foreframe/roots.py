"""Square roots that have the same bits on every CPU.

torch takes its own from MKL, which begins with an approximation that the CPU makes (RSQRTPS); there
the makers of CPUs differ, and MKL does not always get rid of the difference.
"""

import torch
from torch import Tensor


def root(x: Tensor) -> Tensor:
    """Return the square roots (N,...) of values (N,...), within 1.5 units in the last place.

    By a reciprocal root and its reciprocal, each rounded as IEEE 754 says. At 0 the gradient is no
    number, as it is infinite for torch.
    """
    return torch.rsqrt(x).reciprocal()
