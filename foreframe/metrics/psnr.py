"""Peak signal-to-noise ratio of each frame; a set's number is the mean over frames, in dB.

The mean over frames of PSNR and the PSNR of the mean error differ by whole decibels, so the choice
is part of the name here. Identical frames count as 100 dB: a mean must stay a number.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

from pathlib import Path

import torch

from foreframe.metrics.frames import Better
from foreframe.metrics.metric import Metric
from foreframe.metrics.mse import mse

CAP = 100.0  # dB
VARIANT = "10 log10(1 / MSE) per frame over all colours, at most 100 dB, then the mean over frames"
BETTER: Better = "higher"
UNIT = "dB"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("psnr", VARIANT, BETTER, UNIT, compare=psnr)


def psnr(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the PSNR of each frame in dB, float64 (B, T), never above `CAP`.

    10 log10(1 / MSE), where MSE is over the rows, columns and colours of a frame in [0, 1].
    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`.
    """
    error_BT = mse(real_BTHWC, predicted_BTHWC)
    return -10 * error_BT.clamp(min=10 ** (-CAP / 10)).log10()
