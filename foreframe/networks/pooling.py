"""Halving and enlarging of pictures whose gradients are the same numbers on every run and device.

torch's own pooling scatters its gradient on a GPU; maxima of strided views and repeated values do
not. Shapes: B rows, C channels, H rows and W columns of a picture.
"""

import torch
from torch import Tensor


def maxima(x_BCHW: Tensor, factor: int = 2) -> Tensor:
    """Return the largest value of every block of `factor` x `factor`, (B,C,H/factor,W/factor).

    H and W are multiples of it. Of equal ones all get a share of the gradient.
    """
    columns = x_BCHW[..., 0::factor]
    for place in range(1, factor):
        columns = torch.maximum(columns, x_BCHW[..., place::factor])
    found = columns[..., 0::factor, :]
    for place in range(1, factor):
        found = torch.maximum(found, columns[..., place::factor, :])
    return found


def enlarge(x_BCHW: Tensor, factor: int = 2) -> Tensor:
    """Return (B,C,factor H,factor W), each value repeated (nearest neighbour)."""
    x_BCHrWr = x_BCHW[:, :, :, None, :, None].expand(-1, -1, -1, factor, -1, factor)
    return x_BCHrWr.flatten(4).flatten(2, 3)
