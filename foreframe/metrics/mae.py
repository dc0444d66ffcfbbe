"""Mean absolute error of each frame in [0, 1]: unlike MSE it counts many small errors in full.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

from pathlib import Path

import torch

from foreframe.metrics import frames
from foreframe.metrics.metric import Metric

VARIANT = "mean of the absolute error over pixels and colours in [0, 1], then the mean over frames"
BETTER: frames.Better = "lower"
UNIT = "[0, 1]"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("mae", VARIANT, BETTER, UNIT, compare=mae)


def mae(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute error of each frame, float64 (B, T), between 0 and 1.

    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`.
    """
    real, predicted = frames.unit_pair(real_BTHWC, predicted_BTHWC)
    return (real - predicted).abs().mean(dim=(2, 3, 4))
