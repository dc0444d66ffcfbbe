"""Feature Flow (Mastropietro 2017, 6.3): features that flow apart, and where they went.

A flow field gives every place of a grid kappa^2 numbers, one for each place of the kappa x kappa
patch around it; number (k + xi) kappa + (l + xi), xi = floor(kappa / 2), is of k rows down and l
columns to the right. Whatever would leave the grid is dropped, and outside of it all is 0.

Everything here is sums over products w_n[p] h[p] g[p + s_n]: of weights, what is at a source and
what is at the target that lies the displacement s_n further. A sum over two of the three is the
gradient by the third, so nothing is kept for the way back but the factors, and nothing is
scattered. A grid is one line, whose rows end in xi zeros: a displacement is one shift of the line.

Shapes: B rows, C channels, H rows and W columns of a grid, N places of its line, K = kappa^2.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.adversarial import SLOPE
from foreframe.networks.recomputed import Recomputed

Shifts = tuple[int, ...]


def flow(h_BCHW: Tensor, logits_BKHW: Tensor) -> Tensor:
    """Return (B,C,H,W): the sum of what all places around send to each one (eq. 6.3).

        out[i, j] = sum_kl w[i - k, j - l; (k + xi) kappa + (l + xi)] h[i - k, j - l]

    with w the softmax of the logits over the K displacements from a place. All channels go with
    the same weights; a place gives away no more and no less than it has.
    """
    kappa, width = _kappa(logits_BKHW.shape[1]), h_BCHW.shape[3]
    w_BKHW = logits_BKHW.softmax(dim=1)
    shifts = _shifts(kappa, width)
    h_BCN, w_BKN = _line(h_BCHW.to(w_BKHW.dtype), kappa), _line(w_BKHW, kappa)
    return _grid(_sent(h_BCN, w_BKN, shifts), width, kappa)


def correlation(before_BCHW: Tensor, after_BCHW: Tensor, kappa: int) -> Tensor:
    """Return (B,K,H,W): how alike the patch around a place is to each of those around it, later.

        f[i, j; (k + xi) kappa + (l + xi)] = mean_cmn before[i + m, j + n] after[i+k+m, j+l+n]

    over channels c and m, n from -xi to xi: (6.5) as it is meant, with one of the two factors
    displaced.
    """
    shifts, width = _shifts(kappa, before_BCHW.shape[3]), before_BCHW.shape[3]
    matched_BKN = _matched(_line(before_BCHW, kappa), _line(after_BCHW, kappa), shifts)
    products_BKHW = _grid(matched_BKN, width, kappa) / before_BCHW.shape[1]
    # Zeros around the grid count, so that the mean is always over kappa^2.
    return functional.avg_pool2d(products_BKHW, kappa, stride=1, padding=kappa // 2)


class Relation(Recomputed):
    """A flow field by a small network that is shown pairs of fixels (after Santoro et al. 2017).

        f[i, j; (k + xi) kappa + (l + xi)] = rn(before[i, j], after[i + k, j + l])

    rn is one multilayer perceptron for all pairs, places and displacements, which are computed at
    once. Its first layer is linear in each half of a pair: each half is multiplied once, and the
    products are shifted and added.
    """

    def __init__(self, channels: int, kappa: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.kappa = kappa
        self.before = nn.Conv2d(channels, widths[0], 1)
        self.after = nn.Conv2d(channels, widths[0], 1, bias=False)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise([*widths, 1]):
            layers += [nn.LeakyReLU(SLOPE), nn.Conv2d(inputs, outputs, 1)]
        self.rest = nn.Sequential(*layers)

    def forward(self, before_BCHW: Tensor, after_BCHW: Tensor) -> Tensor:
        """Return (B,K,H,W)."""
        height, width = before_BCHW.shape[2:]
        xi = self.kappa // 2
        after_BFHW = functional.pad(self.after(after_BCHW), (xi, xi, xi, xi))
        moved = [
            after_BFHW[:, :, row : row + height, column : column + width]
            for row, column in itertools.product(range(self.kappa), repeat=2)
        ]
        pairs_BFKHW = self.before(before_BCHW)[:, :, None] + torch.stack(moved, dim=2)
        said_B1XW: Tensor = self.rest(pairs_BFKHW.flatten(2, 3))
        return said_B1XW.view(-1, self.kappa**2, height, width)


def _kappa(displacements: int) -> int:
    """Return the kappa of kappa^2 displacements, an odd number."""
    kappa = math.isqrt(displacements)
    assert kappa**2 == displacements and kappa % 2 == 1, displacements
    return kappa


def _shifts(kappa: int, width: int) -> Shifts:
    """Return by how much each displacement goes along the line of a grid."""
    reach = range(-(kappa // 2), kappa // 2 + 1)
    return tuple(row * (width + kappa // 2) + column for row in reach for column in reach)


def _line(x_BCHW: Tensor, kappa: int) -> Tensor:
    """Return (B,C,N): rows one after the other, with zeros that keep them apart."""
    return functional.pad(x_BCHW, (0, kappa // 2)).flatten(2)


def _grid(x_BCN: Tensor, width: int, kappa: int) -> Tensor:
    """Return (B,C,H,W), what `_line` was made of."""
    return x_BCN.unflatten(2, (-1, width + kappa // 2))[..., :width]


def _pairs(shifts: Shifts, length: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield (n, sources, targets) of each displacement, whose lines may be shorter than it."""
    for number, shift in enumerate(shifts):
        ahead, back = max(0, shift), max(0, -shift)
        sources = slice(back, max(back, length - ahead))
        targets = slice(ahead, max(ahead, length - back))
        yield number, sources, targets


def _sent(h_BCN: Tensor, w_BKN: Tensor, shifts: Shifts) -> Tensor:
    """Return g with g[p + s_n] = sum_n w_n[p] h[p]."""
    return _Sent.apply(h_BCN, w_BKN, shifts)  # type: ignore[no-untyped-call]


def _fetched(g_BCN: Tensor, w_BKN: Tensor, shifts: Shifts) -> Tensor:
    """Return h with h[p] = sum_n w_n[p] g[p + s_n]."""
    return _Fetched.apply(g_BCN, w_BKN, shifts)  # type: ignore[no-untyped-call]


def _matched(h_BCN: Tensor, g_BCN: Tensor, shifts: Shifts) -> Tensor:
    """Return w with w_n[p] = sum_c h_c[p] g_c[p + s_n]."""
    return _Matched.apply(h_BCN, g_BCN, shifts)  # type: ignore[no-untyped-call]


class _Sent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h_BCN: Tensor, w_BKN: Tensor, shifts: Shifts) -> Tensor:
        ctx.save_for_backward(h_BCN, w_BKN)
        ctx.shifts = shifts
        g_BCN = torch.zeros_like(h_BCN)
        for n, sources, targets in _pairs(shifts, h_BCN.shape[2]):
            g_BCN[..., targets].addcmul_(w_BKN[:, n : n + 1, sources], h_BCN[..., sources])
        return g_BCN

    @staticmethod
    def backward(ctx: Any, g_BCN: Tensor) -> tuple[Tensor, Tensor, None]:
        h_BCN, w_BKN = ctx.saved_tensors
        return _fetched(g_BCN, w_BKN, ctx.shifts), _matched(h_BCN, g_BCN, ctx.shifts), None


class _Fetched(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, g_BCN: Tensor, w_BKN: Tensor, shifts: Shifts) -> Tensor:
        ctx.save_for_backward(g_BCN, w_BKN)
        ctx.shifts = shifts
        h_BCN = torch.zeros_like(g_BCN)
        for n, sources, targets in _pairs(shifts, g_BCN.shape[2]):
            h_BCN[..., sources].addcmul_(w_BKN[:, n : n + 1, sources], g_BCN[..., targets])
        return h_BCN

    @staticmethod
    def backward(ctx: Any, h_BCN: Tensor) -> tuple[Tensor, Tensor, None]:
        g_BCN, w_BKN = ctx.saved_tensors
        return _sent(h_BCN, w_BKN, ctx.shifts), _matched(h_BCN, g_BCN, ctx.shifts), None


class _Matched(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h_BCN: Tensor, g_BCN: Tensor, shifts: Shifts) -> Tensor:
        ctx.save_for_backward(h_BCN, g_BCN)
        ctx.shifts = shifts
        rows, _, length = h_BCN.shape
        w_BKN = h_BCN.new_zeros(rows, len(shifts), length)
        for n, sources, targets in _pairs(shifts, length):
            products_BCX = h_BCN[..., sources] * g_BCN[..., targets]
            torch.sum(products_BCX, dim=1, out=w_BKN[:, n, sources])
        return w_BKN

    @staticmethod
    def backward(ctx: Any, w_BKN: Tensor) -> tuple[Tensor, Tensor, None]:
        h_BCN, g_BCN = ctx.saved_tensors
        return _fetched(g_BCN, w_BKN, ctx.shifts), _sent(h_BCN, w_BKN, ctx.shifts), None
