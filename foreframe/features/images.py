"""What feature networks accept: one stack of RGB frames, resized by one stated rule.

uint8 means 0..255 and floating point means 0..1, as in the image metrics.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours, N = B T images.
"""

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.errors import UserError
from foreframe.metrics import frames


def unit(frames_BTHWC: Tensor) -> Tensor:
    """Return frames (B, T, H, W, 3) as float32 in [0, 1].

    Raises:
        UserError: not five axes or not three colours, empty, neither uint8 nor floating point, NaN
            or a value outside [0, 1].
    """
    shape = tuple(frames_BTHWC.shape)
    if len(shape) != 5 or shape[-1] != 3 or 0 in shape:
        raise UserError(f"frames must be {frames.AXES}, not {shape}: repeat a grey one.")
    if frames_BTHWC.dtype == torch.uint8:
        return frames_BTHWC.float() / 255
    frames.check_floating(frames_BTHWC, "frame")
    low, high = float(frames_BTHWC.min()), float(frames_BTHWC.max())
    if low < 0 or high > 1:
        raise UserError(
            f"the frames are {frames_BTHWC.dtype} and span [{low:g}, {high:g}], not [0, 1]: "
            "undo the normalization and clamp, or give uint8 for 0..255."
        )
    return frames_BTHWC.float()


def images(frames_BTHWC: Tensor) -> Tensor:
    """Return frames in [0, 1] as a batch of images (N, 3, H, W), clip after clip."""
    return unit(frames_BTHWC).flatten(end_dim=1).permute(0, 3, 1, 2)


def resize(images_NCHW: Tensor, height: int, width: int) -> Tensor:
    """Return images (N, C, height, width) by bilinear interpolation between pixel centres.

    align_corners=False and no antialiasing: what the published FVD and FID programs do.
    """
    if images_NCHW.shape[-2:] == (height, width):
        return images_NCHW
    return functional.interpolate(
        images_NCHW, size=(height, width), mode="bilinear", align_corners=False
    )
