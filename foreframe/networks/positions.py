"""Where a feature lies, added to it: a learned map of its place.

Places are told as Slot Attention does (Locatello et al. 2020, E.2), by the distances from the four
edges, or by waves of the coordinates beside them (Mildenhall et al. 2020), from which small things
are drawn after fewer steps of training. A frame of any size has the same weights.

Shapes: B rows, D features, H rows, W columns, P numbers of a place.
"""

import math

import torch
from torch import Tensor, nn


class Positions(nn.Module):
    """Adds to features the linear map of (y, x, 1 - y, 1 - x), each from 0 to 1."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.map = nn.Linear(4, features)

    def forward(self, x_BDHW: Tensor) -> Tensor:
        """Return features (B,D,H,W) that know where they are."""
        return x_BDHW + self.map(_edges(x_BDHW)).movedim(2, 0)


class Waves(nn.Module):
    """The same with sine and cosine of 2^i pi y and 2^i pi x, i = 0 ... `count` - 1, beside it."""

    def __init__(self, features: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.map = nn.Linear(4 + 4 * count, features)

    def forward(self, x_BDHW: Tensor) -> Tensor:
        """Return features (B,D,H,W) that know where they are."""
        edges_HW4 = _edges(x_BDHW)
        known = [edges_HW4]
        for each in range(self.count):
            angles_HW2 = 2**each * math.pi * edges_HW4[..., :2]
            known += [angles_HW2.sin(), angles_HW2.cos()]
        return x_BDHW + self.map(torch.cat(known, dim=2)).movedim(2, 0)


def positions(features: int, waves: int) -> nn.Module:
    """Return what adds places to features, of so many waves; 0: of the edges alone."""
    return Waves(features, waves) if waves else Positions(features)


def _edges(x_BDHW: Tensor) -> Tensor:
    """Return the distances from the edges (H,W,4) of each place: top, left, bottom, right."""
    y_HW, x_HW = torch.meshgrid(
        *(torch.linspace(0, 1, side).to(x_BDHW) for side in x_BDHW.shape[2:]), indexing="ij"
    )
    return torch.stack([y_HW, x_HW, 1 - y_HW, 1 - x_HW], dim=2)
