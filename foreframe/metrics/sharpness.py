"""Sharpness of predicted frames beside the true ones: blur earns a good MSE and shows up here.

A frame's sharpness is the mean absolute Laplacian; the total variation would not do, as an edge
keeps it however blurred. The decay over the horizon is the ratio of means over clips:

    mean.update(both(real, predicted))  # for every batch
    decay_T = ratio(mean.result())

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

from pathlib import Path

import torch

from foreframe.errors import UserError
from foreframe.metrics import frames
from foreframe.metrics.metric import Metric
from foreframe.metrics.relative import FLOOR, octaves

VARIANT = (
    "|log2((p + f) / (r + f))| per frame, p and r the mean absolute 4-neighbour Laplacian of the "
    "predicted and the true frame in [0, 1] over inner pixels and colours, f = 0.1/255, then the "
    "mean over frames"
)
BETTER: frames.Better = "lower"
UNIT = "octaves"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("sharpness", VARIANT, BETTER, UNIT, compare=sharpness, amounts=both)


def sharpness(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return by how many octaves each predicted frame is too blurred or too sharp, float64 (B, T).

    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`, or frames smaller than 3 x 3 pixels.
    """
    real_BT, predicted_BT = both(real_BTHWC, predicted_BTHWC).unbind(dim=-1)
    return octaves(real_BT, predicted_BT, FLOOR)


def both(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the sharpness of each true and each predicted frame, float64 (B, T, 2), in [0, 4].

    |x(i-1, j) + x(i+1, j) + x(i, j-1) + x(i, j+1) - 4 x(i, j)|, mean over inner pixels and colours.

    Raises:
        UserError: as `sharpness`.
    """
    pair = frames.unit_pair(real_BTHWC, predicted_BTHWC)
    height, width = real_BTHWC.shape[2:4]
    if min(height, width) < 3:
        raise UserError(
            f"frames of {height} x {width} pixels have no inner pixel: use at least 3 x 3."
        )
    return torch.stack([_laplacian(x) for x in pair], dim=-1)


def _laplacian(x_BTHWC: torch.Tensor) -> torch.Tensor:
    rows = x_BTHWC[:, :, :-2, 1:-1] + x_BTHWC[:, :, 2:, 1:-1]
    columns = x_BTHWC[:, :, 1:-1, :-2] + x_BTHWC[:, :, 1:-1, 2:]
    centre = x_BTHWC[:, :, 1:-1, 1:-1]
    return (rows + columns - 4 * centre).abs().mean(dim=(2, 3, 4))
