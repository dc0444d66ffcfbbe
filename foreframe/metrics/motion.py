"""Motion energy of predicted futures beside the true ones: a frozen rollout shows up here.

A frame's motion energy is its mean squared difference to its neighbours within the future: both of
them for inner frames, the only one for the first and the last. A jump from the last given frame to
the first predicted one is not seen. The course over the horizon is the ratio of means over clips:

    mean.update(both(real, predicted))  # for every batch
    share_T = ratio(mean.result())

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

from pathlib import Path

import torch

from foreframe.errors import UserError
from foreframe.metrics import frames
from foreframe.metrics.metric import Metric
from foreframe.metrics.relative import FLOOR, octaves

VARIANT = (
    "|log2((p + f) / (r + f))| per frame, p and r the mean squared difference of the predicted and "
    "the true frame in [0, 1] to its neighbours in the future, over pixels and colours, "
    "f = 0.1/255^2, then the mean over frames"
)
BETTER: frames.Better = "lower"
UNIT = "octaves"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("motion", VARIANT, BETTER, UNIT, compare=motion, amounts=both)


def motion(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return by how many octaves each predicted frame moves too little or much, float64 (B, T).

    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`, or futures of a single frame.
    """
    real_BT, predicted_BT = both(real_BTHWC, predicted_BTHWC).unbind(dim=-1)
    return octaves(real_BT, predicted_BT, FLOOR / 255)


def both(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the motion energy of each true and each predicted frame, float64 (B, T, 2), in [0, 1].

    Raises:
        UserError: as `motion`.
    """
    pair = frames.unit_pair(real_BTHWC, predicted_BTHWC)
    if real_BTHWC.shape[1] < 2:
        raise UserError("a future of one frame shows no motion: predict at least two frames.")
    return torch.stack([_energy(x) for x in pair], dim=-1)


def _energy(x_BTHWC: torch.Tensor) -> torch.Tensor:
    step_BT = x_BTHWC.diff(dim=1).square().mean(dim=(2, 3, 4))
    # The first step stands for both sides of the first frame, the last for those of the last.
    before_BT = torch.cat([step_BT[:, :1], step_BT], dim=1)
    after_BT = torch.cat([step_BT, step_BT[:, -1:]], dim=1)
    return (before_BT + after_BT) / 2
