"""How a quantity of predicted frames compares with that of the true ones: ratios that stay finite.

A ratio of single frames has no mean: one true frame without the quantity makes it infinite. So two
forms are kept apart. The error of a frame is a logarithm with a floor; the course over the horizon
is the ratio of two means over clips, which can be taken in batches.

Shapes: B clips, T frames.
"""

import torch

# What one value in ten that is off by one grey level amounts to: less is no visible structure.
FLOOR = 0.1 / 255


def octaves(real_BT: torch.Tensor, predicted_BT: torch.Tensor, floor: float) -> torch.Tensor:
    """Return |log2((p + f) / (r + f))| of each frame, float64 (B, T), f = `floor`.

    0 means as much as in truth, 1 half or twice as much; equal amounts have 0 even if both are 0.
    """
    return ((predicted_BT + floor) / (real_BT + floor)).log2().abs()


def ratio(mean_T2: torch.Tensor) -> list[float | None]:
    """Return predicted / real of each frame of the horizon, T of them.

    A ratio is None where no clip's true frame has anything to compare to, as in constant video.

    Args:
        mean_T2: the means over clips of the true and of the predicted frames' quantity.
    """
    return [predicted / real if real else None for real, predicted in mean_T2.tolist()]
