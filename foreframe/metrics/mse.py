"""Mean squared error in two units, kept apart by name: standardised values, and frames in [0, 1].

The thesis states reconstruction error in standardised values (Xu 2022, Table 6.1), so that it
depends on the training set's standard deviation; frames in [0, 1] are comparable across data sets.

Shapes: B clips, C colours, T frames, H rows, W columns.
"""

from pathlib import Path

import torch

from foreframe.metrics import frames
from foreframe.metrics.metric import Metric

VARIANT = "mean over pixels and colours; standardised values for autoencoders, [0, 1] for frames"
BETTER: frames.Better = "lower"
UNIT = "[0, 1] squared"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("mse", VARIANT, BETTER, UNIT, compare=mse)


def standardised_mse(real_BCTHW: torch.Tensor, predicted_BCTHW: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each clip, float64 (B,), in standardised units.

    (1/N) sum (x - x_hat)^2 over the N = CTHW values of a clip (Xu 2022, 4.2 and Table 6.1).
    Value range: any finite floating-point value, unclamped.

    Raises:
        UserError: unequal or empty shapes, not floating point, NaN or infinity.
    """
    frames.check_shapes(real_BCTHW, predicted_BCTHW)
    frames.check_floating(real_BCTHW, "real")
    frames.check_floating(predicted_BCTHW, "predicted")
    squares = (real_BCTHW - predicted_BCTHW).square().flatten(start_dim=1)
    return squares.mean(dim=1, dtype=torch.float64)


def mse(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each frame, float64 (B, T), in [0, 1] units squared.

    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`.
    """
    real, predicted = frames.unit_pair(real_BTHWC, predicted_BTHWC)
    return (real - predicted).square().mean(dim=(2, 3, 4))
