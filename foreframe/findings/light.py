"""What pictures are compared by: luma and chroma, coarse and fine parts, correlation.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours; values in grey levels, 0..255.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.roots import root

# ITU-R BT.601, full range, in millionths: rows are Y, Cb, Cr for columns R, G, B. Sums of whole
# numbers round nowhere, so grey has no chroma at all, on every CPU.
YCBCR = (
    (299_000, 587_000, 114_000),
    (-168_736, -331_264, 500_000),
    (500_000, -418_688, -81_312),
)
MILLION = 1_000_000
PLANES = ("luma", "cb", "cr")
# Deviation of the Gaussian that parts coarse from fine, in pixels: what one bottom code covers.
SIGMA = 4.0
RADIUS = 12


def planes(frames_BTHWC: Tensor) -> dict[str, Tensor]:
    """Return luma (0..255) and the two chroma planes (-127.5..127.5) of uint8 frames: (B,T,H,W)."""
    return dict(zip(PLANES, _weigh(frames_BTHWC, YCBCR).unbind(dim=-1), strict=True))


def luma(frames_BTHWC: Tensor) -> Tensor:
    """Return the luma of uint8 frames: float64 (B,T,H,W), 0..255."""
    return _weigh(frames_BTHWC, YCBCR[:1])[..., 0]


def coarse(plane_BTHW: Tensor) -> Tensor:
    """Return a plane (B,T,H,W) blurred by a Gaussian of 4 pixels; edges are repeated."""
    places = torch.arange(-RADIUS, RADIUS + 1, dtype=plane_BTHW.dtype, device=plane_BTHW.device)
    kernel = torch.exp(-(places**2) / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    images = plane_BTHW.flatten(0, 1).unsqueeze(1)
    images = functional.conv2d(_widen(images, (RADIUS, RADIUS, 0, 0)), kernel.view(1, 1, 1, -1))
    images = functional.conv2d(_widen(images, (0, 0, RADIUS, RADIUS)), kernel.view(1, 1, -1, 1))
    return images.view_as(plane_BTHW)


def laplacian(plane_BTHW: Tensor) -> Tensor:
    """Return the 4-neighbour Laplacian at inner pixels: (B,T,H-2,W-2)."""
    rows = plane_BTHW[..., :-2, 1:-1] + plane_BTHW[..., 2:, 1:-1]
    columns = plane_BTHW[..., 1:-1, :-2] + plane_BTHW[..., 1:-1, 2:]
    return rows + columns - 4 * plane_BTHW[..., 1:-1, 1:-1]


def correlation(first: Tensor, second: Tensor, axes: int) -> Tensor:
    """Return Pearson's correlation over the last `axes` axes, in -1..1, of shape (B, ...).

    It is 0 where one of the two is constant.
    """
    first, second = (
        values.double().flatten(-axes) - values.double().flatten(-axes).mean(dim=-1, keepdim=True)
        for values in (first, second)
    )
    scale = root(first.square().sum(dim=-1) * second.square().sum(dim=-1))
    # Rounding leaves a constant with some 1e-26 of variance.
    flat = scale < 1e-12 * first.shape[-1]
    found = (first * second).sum(dim=-1) / scale.masked_fill(flat, math.inf)
    return found.clamp(-1, 1)


def _widen(images: Tensor, borders: tuple[int, int, int, int]) -> Tensor:
    """Repeat the edges by `borders`, which may be wider than the picture."""
    left, right, top, bottom = borders
    height, width = images.shape[-2:]
    rows = torch.arange(-top, height + bottom, device=images.device).clamp(0, height - 1)
    columns = torch.arange(-left, width + right, device=images.device).clamp(0, width - 1)
    return images.index_select(-2, rows).index_select(-1, columns)


def _weigh(frames_BTHWC: Tensor, weights: Sequence[Sequence[int]]) -> Tensor:
    """Return a weighted sum of the colours for each row of millionths: (B,T,H,W,rows)."""
    weights_RC = torch.tensor(weights, dtype=torch.float64, device=frames_BTHWC.device)
    return (frames_BTHWC.double() @ weights_RC.T) / MILLION
