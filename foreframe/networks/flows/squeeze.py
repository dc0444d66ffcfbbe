"""Space to channels and back (Dinh et al. 2017): each 2x2 block of places becomes four channels.

Shapes: B rows, C channels, H rows and W columns of a picture, both even.
"""

from torch import Tensor


def squeeze(x_BCHW: Tensor) -> Tensor:
    """Return (B,4C,H/2,W/2): of channel c the places (0,0), (0,1), (1,0), (1,1) of each block."""
    rows, channels, height, width = x_BCHW.shape
    blocks = x_BCHW.reshape(rows, channels, height // 2, 2, width // 2, 2)
    return blocks.permute(0, 1, 3, 5, 2, 4).reshape(rows, 4 * channels, height // 2, width // 2)


def unsqueeze(x_BCHW: Tensor) -> Tensor:
    """Return (B,C/4,2H,2W), the inverse of `squeeze`."""
    rows, channels, height, width = x_BCHW.shape
    blocks = x_BCHW.reshape(rows, channels // 4, 2, 2, height, width)
    return blocks.permute(0, 1, 4, 2, 5, 3).reshape(rows, channels // 4, 2 * height, 2 * width)
