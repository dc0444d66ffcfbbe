"""Structural similarity of each frame (Wang et al. 2004), without padded borders.

Only windows that lie inside the frame count, as in the paper's own program and in scikit-image;
torchmetrics averages over reflected borders too, which gives other numbers: `ssim_padded`. The
window is applied along rows, then along columns, in float64: on a CPU that is many times faster
than the two-dimensional convolution of torchmetrics, and the tests hold both against each other.

Shapes: B clips, T frames, N = B T, H rows, W columns, C = 3 colours.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from foreframe.errors import UserError
from foreframe.metrics import frames
from foreframe.metrics.metric import Metric

SIGMA = 1.5  # of the Gaussian window, in pixels
WINDOW = 11  # pixels a side: 3.5 sigma to each side of the centre
BORDER = WINDOW // 2
VARIANT = (
    "Gaussian window of 11 x 11 pixels, sigma 1.5, K1 0.01, K2 0.03, range 1, population "
    "covariance, window inside the frame only, mean over colours, then the mean over frames"
)
BETTER: frames.Better = "higher"
UNIT = "1"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("ssim", VARIANT, BETTER, UNIT, compare=ssim)


def ssim(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the SSIM of each frame, float64 (B, T), between -1 and 1.

    Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13, on each colour apart.
    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`, or frames smaller than the window.
    """
    real, predicted = (frames.images(x) for x in frames.unit_pair(real_BTHWC, predicted_BTHWC))
    check_size(real, WINDOW, f"the SSIM window of {WINDOW} x {WINDOW}")
    return similarity(real, predicted).ssim.reshape(real_BTHWC.shape[:2])


@dataclass(frozen=True)
class Similarity:
    """Means over the windows and colours of each image.

    Attributes:
        ssim: luminance times contrast-structure (N,).
        structure: contrast-structure alone (N,).
    """

    ssim: torch.Tensor
    structure: torch.Tensor


def similarity(x_NCHW: torch.Tensor, y_NCHW: torch.Tensor) -> Similarity:
    """Return how similar images in [0, 1] are, over the windows that lie inside.

    Wang et al. 2004, eq. 13, and its second factor, with K1 = 0.01 and K2 = 0.03.
    """
    c1, c2 = 0.01**2, 0.03**2
    x, y = _window(x_NCHW), _window(y_NCHW)
    # Rounding may leave a variance just below 0.
    var_x = (_window(x_NCHW.square()) - x.square()).clamp(min=0)
    var_y = (_window(y_NCHW.square()) - y.square()).clamp(min=0)
    covariance = _window(x_NCHW * y_NCHW) - x * y
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    luminance = (2 * x * y + c1) / (x.square() + y.square() + c1)
    axes = (1, 2, 3)
    return Similarity((luminance * structure).mean(dim=axes), structure.mean(dim=axes))


def _window(x_NCHW: torch.Tensor) -> torch.Tensor:
    """Return the Gaussian-weighted mean of every window inside, (N, C, H - 10, W - 10)."""
    weights = [math.exp(-0.5 * (i / SIGMA) ** 2) for i in range(-BORDER, BORDER + 1)]
    for axis in (2, 3):
        length = x_NCHW.shape[axis] - 2 * BORDER
        parts = (w * x_NCHW.narrow(axis, i, length) for i, w in enumerate(weights))
        x_NCHW = sum(parts, start=torch.zeros((), device=x_NCHW.device)) / sum(weights)
    return x_NCHW


def check_size(images_NCHW: torch.Tensor, side: int, what: str) -> None:
    """Refuse images with a side of fewer than `side` pixels, which `what` needs.

    Raises:
        UserError: they have one.
    """
    height, width = images_NCHW.shape[-2:]
    if min(height, width) < side:
        raise UserError(
            f"frames of {height} x {width} pixels are smaller than {what}: "
            f"use frames of at least {side} x {side}, or leave this metric out."
        )
