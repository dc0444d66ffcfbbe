"""Bringing frames to another size before they are compared, as protocols of the literature do.

Shapes: B clips, T frames, N = B T images, H rows, W columns, C = 3 colours.
"""

import torch
from torch.nn import functional

from foreframe.metrics.frames import images

FILTER = "bilinear with antialiasing, from and to [0, 1]"


def resize(frames_BTHWC: torch.Tensor, size: tuple[int, int] | None) -> torch.Tensor:
    """Return uint8 frames as they are, or float32 in [0, 1] of `size` = (rows, columns).

    Value range: uint8 0..255.
    """
    if size is None or frames_BTHWC.shape[2:4] == size:
        return frames_BTHWC
    unit_NCHW = images(frames_BTHWC).float() / 255
    resized_NCHW = functional.interpolate(
        unit_NCHW, size=size, mode="bilinear", antialias=True, align_corners=False
    )
    # Weights sum to 1 up to rounding.
    resized_NHWC = resized_NCHW.clamp(0, 1).permute(0, 2, 3, 1)
    return resized_NHWC.unflatten(0, frames_BTHWC.shape[:2])


def describe(size: tuple[int, int] | None) -> str:
    """Return in words what `resize` does."""
    return "none" if size is None else f"to {size[0]} x {size[1]} pixels, {FILTER}"
