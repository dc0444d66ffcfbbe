"""Noise on the indices of codes, in training: it gives a codebook an order (Coppock 2020, 3.2).

An index is moved by a discrete Gaussian number before its code is looked up. Codes whose indices
are near each other are then drawn to the same encoder outputs, so the index becomes a coordinate.
Its source says neither what its width is of, nor how the Gaussian is made discrete, nor what
happens at the ends of the codebook: each is a setting. Shapes: N indices, K codes, R offsets.
"""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.config.base import Strict
from foreframe.randomness import Numbers

DEVIATIONS = 8  # as far as float32's uniform numbers reach


class IndexNoise(Strict):
    """A width, and the readings of what its source leaves open.

    sigma: 0 for none; sigma_is: what it is of the Gaussian; gaussian: rounded to the nearest whole
    number, or with probabilities in proportion to its density at whole numbers; border: an index
    beyond the codebook becomes the last one, is reflected at it, goes on at the other end, or is
    never drawn.
    """

    sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    sigma_is: Literal["deviation", "variance"]
    gaussian: Literal["rounded", "density"]
    border: Literal["clamp", "reflect", "wrap", "redraw"]

    @property
    def deviation(self) -> float:
        """The standard deviation of the Gaussian."""
        return self.sigma if self.sigma_is == "deviation" else math.sqrt(self.sigma)

    def move(self, ids: Tensor, codes: int, numbers: Numbers) -> Tensor:
        """Return indices of the shape of `ids`, in 0..codes-1, each moved by a number of its own.

        Without noise nothing is drawn, and the indices are those that came.
        """
        if self.sigma == 0:
            return ids
        u = numbers.uniform(ids.shape, dtype=torch.float64).to(ids.device)
        below_R = self.below().to(ids.device)
        reach = len(below_R) // 2 - 1
        if self.border == "redraw":
            # Inverting the distribution between the ends draws what lies between them alone.
            low, high = (
                below_R[(end + reach).clamp(0, 2 * reach + 1)] for end in (-ids, codes - ids)
            )
            u = low + u * (high - low)
        # The last offset whose numbers below it are not more than u.
        moved = ids + torch.searchsorted(below_R, u, right=True) - 1 - reach
        return _within(moved, codes, self.border)

    def below(self) -> Tensor:
        """Return P(n < r) for offsets r from -reach to reach + 1: (R,) float64, from 0 to 1."""
        deviation = self.deviation
        reach = math.ceil(DEVIATIONS * deviation) + 1
        offsets_R = torch.arange(-reach, reach + 1, dtype=torch.float64)
        if self.gaussian == "rounded":
            edges = (offsets_R[:, None] + torch.tensor([-0.5, 0.5])) / deviation
            low, high = torch.special.ndtr(edges).unbind(1)
            share_R = high - low
        else:
            share_R = torch.exp(-0.5 * (offsets_R / deviation).square())
        summed_R = torch.cat([share_R.new_zeros(1), share_R.cumsum(0)])
        return summed_R / summed_R[-1]


def _within(moved: Tensor, codes: int, border: str) -> Tensor:
    if border == "wrap":
        return moved.remainder(codes)
    if border == "reflect":
        # As a path does that turns back on each last index: 2, 1, 0, 1, 2.
        period = max(2 * (codes - 1), 1)
        there = moved.remainder(period)
        return torch.minimum(there, period - there)
    return moved.clamp(0, codes - 1)
