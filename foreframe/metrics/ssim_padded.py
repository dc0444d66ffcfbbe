"""SSIM as torchmetrics computes it by default: averaged over reflected borders too.

It stands here so that numbers published with torchmetrics have a name of their own; it differs from
`ssim` in the third digit on small frames.

Shapes: B clips, T frames, N = B T, H rows, W columns, C = 3 colours.
"""

from pathlib import Path

import torch
from torch.nn import functional

from foreframe.metrics import frames
from foreframe.metrics.metric import Metric
from foreframe.metrics.ssim import BORDER, WINDOW, check_size, similarity

VARIANT = (
    "Gaussian window of 11 x 11 pixels, sigma 1.5, K1 0.01, K2 0.03, range 1, population "
    "covariance, borders reflected and counted, mean over colours, then the mean over frames"
)
BETTER: frames.Better = "higher"
UNIT = "1"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("ssim_padded", VARIANT, BETTER, UNIT, compare=ssim_padded)


def ssim_padded(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the SSIM of each frame with its borders, float64 (B, T), between -1 and 1.

    Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13, on each colour apart.
    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`, or frames smaller than the window.
    """
    real, predicted = (frames.images(x) for x in frames.unit_pair(real_BTHWC, predicted_BTHWC))
    check_size(real, WINDOW, f"the SSIM window of {WINDOW} x {WINDOW}")
    return similarity(reflected(real), reflected(predicted)).ssim.reshape(real_BTHWC.shape[:2])


def reflected(images_NCHW: torch.Tensor) -> torch.Tensor:
    """Return images with their borders mirrored outwards by half a window, (N, C, H + 10, W + 10).

    The outermost pixels themselves are not repeated.
    """
    return functional.pad(images_NCHW, (BORDER,) * 4, mode="reflect")
