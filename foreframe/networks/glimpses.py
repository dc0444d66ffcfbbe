"""Glimpses: parts of a frame cut out in another size, and put back, by products with two matrices.

A spatial transformer (Jaderberg et al. 2015) that neither turns nor shears looks up rows and
columns each by itself, so bilinear interpolation is a matrix for either: R_y x R_x^T. Unlike that
of looking up places, its gradient scatters nothing, and is the same on every run.

Places are those of torch's grids without aligned corners: -1 and 1 are the outer edges of the outer
pixels, and outside of these there is 0. Shapes: B rows, N objects, C channels, H rows, W columns, G
rows and columns of a glimpse; a box (B,N,4) is its width and height, as shares of the frame's, and
the place x, y of its middle.
"""

import torch
from torch import Tensor


def cut(x_BCHW: Tensor, boxes_BN4: Tensor, size: int) -> Tensor:
    """Return what lies in each box, in `size` rows and columns: (B,N,C,G,G)."""
    scale_BN2, middle_BN2 = boxes_BN4.split(2, dim=2)
    u_G = _places(size, x_BCHW)
    x_BNG = middle_BN2[..., :1] + scale_BN2[..., :1] * u_G
    y_BNG = middle_BN2[..., 1:] + scale_BN2[..., 1:] * u_G
    rows_BNGH = _weights(y_BNG, x_BCHW.shape[2])
    columns_BNGW = _weights(x_BNG, x_BCHW.shape[3])
    return _product(rows_BNGH, x_BCHW[:, None], columns_BNGW)


def put(glimpses_BNCGG: Tensor, boxes_BN4: Tensor, size: tuple[int, int]) -> Tensor:
    """Return empty frames (B,N,C,H,W) of a `size` with each glimpse in its box."""
    scale_BN2, middle_BN2 = boxes_BN4.split(2, dim=2)
    y_H, x_W = (_places(each, glimpses_BNCGG) for each in size)
    u_BNW = (x_W - middle_BN2[..., :1]) / scale_BN2[..., :1]
    v_BNH = (y_H - middle_BN2[..., 1:]) / scale_BN2[..., 1:]
    side = glimpses_BNCGG.shape[-1]
    return _product(_weights(v_BNH, side), glimpses_BNCGG, _weights(u_BNW, side))


def _places(size: int, like: Tensor) -> Tensor:
    """Return where the middles of so many pixels lie between -1 and 1, (size,)."""
    return (2 * torch.arange(size, device=like.device) + 1).to(like.dtype) / size - 1


def _weights(places_BNP: Tensor, size: int) -> Tensor:
    """Return how much of each of `size` pixels lies at each of P places, (B,N,P,size)."""
    pixels = ((places_BNP + 1) * size - 1) / 2
    numbers = torch.arange(size, device=pixels.device).to(pixels.dtype)
    return (1 - (pixels[..., None] - numbers).abs()).clamp_min(0)


def _product(rows_BNPH: Tensor, x_BNCHW: Tensor, columns_BNQW: Tensor) -> Tensor:
    """Return (B,N,C,P,Q): rows and columns of frames that are mixed by weights."""
    return rows_BNPH[:, :, None] @ x_BNCHW @ columns_BNQW[:, :, None].transpose(3, 4)
