"""Bringing pictures of any size to one frame size: the same law for videos, images and arrays.

Suffixes: H height, W width of the picture.
"""

from typing import Literal

import numpy
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

# A small file can claim a huge picture.
LARGEST_PICTURE = 8192 * 8192

# Averages all source pixels of a pixel; the flags give the same bytes on every processor.
SCALING = (
    Interpolation.AREA
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)

# What is left out of a picture of another shape: its sides or its upper and lower edge ("middle"),
# or nothing, so that the picture is squeezed.
Crop = Literal["middle", "none"]


def fit(
    rgb_HW3: NDArray[numpy.uint8], height: int, width: int, crop: Crop = "middle", ratio: float = 1
) -> NDArray[numpy.uint8]:
    """Return a picture as a frame: uint8 (height, width, 3), each pixel an average over its area.

    Args:
        rgb_HW3: uint8 (H, W, 3); it comes back unchanged where it has the frame's size.
        height: of the frame, in pixels.
        width: of the frame, in pixels.
        crop: "middle" keeps the largest middle of the frame's shape, "none" keeps everything.
        ratio: the width of a picture's pixel to its height.
    """
    if crop == "middle":
        rgb_HW3 = _middle(rgb_HW3, height, width, ratio)
    picture = VideoFrame.from_ndarray(numpy.ascontiguousarray(rgb_HW3), format="rgb24")
    scaled = picture.reformat(width, height, interpolation=SCALING, threads=1)
    frame: NDArray[numpy.uint8] = scaled.to_ndarray().astype(numpy.uint8, copy=False)
    return frame


def over_black(rgba_HW4: NDArray[numpy.uint8]) -> NDArray[numpy.uint8]:
    """Return the colours of a transparent picture laid over black, uint8 (H, W, 3)."""
    # In 16 bits 255 * 255 still fits.
    wide = rgba_HW4.astype(numpy.uint16)
    return ((wide[..., :3] * wide[..., 3:] + 127) // 255).astype(numpy.uint8)


def _middle(
    rgb_HW3: NDArray[numpy.uint8], height: int, width: int, ratio: float
) -> NDArray[numpy.uint8]:
    # Cropped before it is scaled: a long thin picture stays small.
    high, wide = rgb_HW3.shape[:2]
    rows = min(high, max(1, round(wide * ratio * height / width)))
    columns = min(wide, max(1, round(high * width / height / ratio)))
    top, left = (high - rows) // 2, (wide - columns) // 2
    return rgb_HW3[top : top + rows, left : left + columns]
