"""What an image metric accepts: two equal stacks of RGB frames; the dtype declares the value range.

uint8 means 0..255 and floating point means 0..1; nothing is guessed from the values, because a
metric fed with the wrong range still returns a number.

Shapes: B clips, T frames, N = B T images, H rows, W columns, C = 3 colours.
"""

from typing import Literal

import torch

from foreframe.errors import UserError

Better = Literal["higher", "lower"]  # which of two values of a metric is the better one
VALUE_RANGE = "[0, 1]; 8-bit frames are divided by 255"
AXES = "(clips, frames, rows, columns, 3)"


def unit_pair(
    real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both stacks as float64 in [0, 1].

    Raises:
        UserError: the stacks differ in shape or dtype, are empty or not RGB, are neither uint8 nor
            floating point, or hold NaN or a value outside [0, 1].
    """
    for name, frames in (("real", real_BTHWC), ("predicted", predicted_BTHWC)):
        if frames.ndim != 5 or frames.shape[-1] != 3:
            raise UserError(
                f"the {name} frames must be {AXES}, not {tuple(frames.shape)}: "
                "repeat the channel of a grey video three times."
            )
    check_shapes(real_BTHWC, predicted_BTHWC)
    if real_BTHWC.dtype != predicted_BTHWC.dtype:
        raise UserError(
            f"the real frames are {real_BTHWC.dtype} and the predicted ones "
            f"{predicted_BTHWC.dtype}, so their value ranges differ: convert one of them."
        )
    return _unit(real_BTHWC, "real"), _unit(predicted_BTHWC, "predicted")


def images(frames_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return frames as a batch of images (N, C, H, W), N = B T."""
    return frames_BTHWC.flatten(end_dim=1).permute(0, 3, 1, 2)


def check_shapes(real: torch.Tensor, predicted: torch.Tensor) -> None:
    """Refuse two tensors that differ in shape (nothing is broadcast) or are empty.

    Raises:
        UserError: they do, or they are.
    """
    if real.shape != predicted.shape:
        raise UserError(
            f"the real values have shape {tuple(real.shape)} and the predicted ones "
            f"{tuple(predicted.shape)}: crop or reshape one of them."
        )
    if real.numel() == 0:
        raise UserError(f"there is nothing to measure: the shape is {tuple(real.shape)}.")


def check_floating(values: torch.Tensor, name: str) -> None:
    """Refuse integers, NaN and infinity.

    Raises:
        UserError: `values` are or hold one; the message uses `name`.
    """
    if not values.is_floating_point():
        raise UserError(f"the {name} values are {values.dtype}: give floating point.")
    if not bool(torch.isfinite(values).all()):
        raise UserError(f"the {name} values hold NaN or infinity: find the model that made them.")


def _unit(frames: torch.Tensor, name: str) -> torch.Tensor:
    if frames.dtype == torch.uint8:
        return frames.double() / 255
    check_floating(frames, name)
    low, high = float(frames.min()), float(frames.max())
    if low < 0 or high > 1:
        raise UserError(
            f"the {name} frames are {frames.dtype} and span [{low:g}, {high:g}], not [0, 1]: "
            "undo the normalization and clamp, or give uint8 for 0..255."
        )
    return frames.double()
