"""Halving and enlarging of pictures whose gradients are the same numbers on every run and device.

On a GPU torch scatters the gradient of its pooling in no certain order; there the same rule, the
first of equal values has the gradient, is followed without scattering. Repeated values are those of
torch's nearest neighbours, whose gradient is slower.

Shapes: B rows, C channels, H rows and W columns of a picture; f the factor.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def maxima(x_BCHW: Tensor, factor: int = 2) -> Tensor:
    """Return the largest value of every block of `factor` x `factor`, (B,C,H/factor,W/factor).

    H and W are multiples of it. Of equal ones the first in raster order has the gradient.
    """
    if x_BCHW.is_cuda:
        found: Tensor = Maxima.apply(x_BCHW, factor)  # type: ignore[no-untyped-call]
        return found
    return functional.max_pool2d(x_BCHW, factor)


class Maxima(torch.autograd.Function):
    """The same with a gradient that is written block by block."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, factor: int) -> Tensor:
        """Return the maxima, and keep where they were."""
        found, indices = functional.max_pool2d(x_BCHW, factor, return_indices=True)
        ctx.save_for_backward(indices)
        ctx.factor, ctx.shape = factor, x_BCHW.shape
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return (B,C,H,W): the gradient of each maximum where it was, and zero elsewhere."""
        (indices,) = ctx.saved_tensors
        factor, (*_, height, width) = ctx.factor, ctx.shape
        places = torch.arange(height * width, device=gradient.device).view(height, width)
        spread = gradient.new_empty(ctx.shape)
        for row in range(factor):
            for column in range(factor):
                part = (..., slice(row, None, factor), slice(column, None, factor))
                spread[part] = torch.where(indices == places[part], gradient, 0)
        return spread, None


def enlarge(x_BCHW: Tensor, factor: int = 2) -> Tensor:
    """Return (B,C,factor H,factor W), each value repeated (nearest neighbour).

    Columns first, then rows as wholes: in one go, forth and back take twice as long.
    """
    x_BCHW = x_BCHW[..., None].expand(-1, -1, -1, -1, factor).flatten(3)
    return x_BCHW[:, :, :, None].expand(-1, -1, -1, factor, -1).flatten(2, 3)
