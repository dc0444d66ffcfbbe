"""How a quantity of predicted frames compares with that of the true ones: ratios that stay finite.

A ratio of single frames has no mean: one true frame without the quantity makes it infinite. So two
forms are kept apart. The error of a frame is a logarithm with a floor; the course over the horizon
is the ratio of two means over clips, which can be taken in batches.

Shapes: B clips, T frames.
"""

import torch

from foreframe.errors import UserError

# What one value in ten that is off by one grey level amounts to: less is no visible structure.
FLOOR = 0.1 / 255


def octaves(real_BT: torch.Tensor, predicted_BT: torch.Tensor, floor: float) -> torch.Tensor:
    """Return |log2((p + f) / (r + f))| of each frame, float64 (B, T), f = `floor`.

    0 means as much as in truth, 1 half or twice as much; equal amounts have 0 even if both are 0.
    """
    return ((predicted_BT + floor) / (real_BT + floor)).log2().abs()


def ratio(mean_T2: torch.Tensor) -> torch.Tensor:
    """Return predicted / real of each frame of the horizon, (T,), of the means over clips.

    Args:
        mean_T2: the means over clips of the true and of the predicted frames' quantity.

    Raises:
        UserError: the true frames have none of it in any clip.
    """
    real_T, predicted_T = mean_T2.unbind(dim=-1)
    if bool((real_T == 0).any()):
        frame = int((real_T == 0).nonzero()[0]) + 1
        raise UserError(
            f"no clip has a true frame {frame} with anything to compare to (constant video): "
            "the ratio is not defined; leave it out or give other clips."
        )
    return predicted_T / real_T
