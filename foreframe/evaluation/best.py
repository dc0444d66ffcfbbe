"""Which of several samples counts: their mean, the best for each clip, or the best for each frame.

The three are different numbers. The literature's best of 100 (Denton and Fergus 2018) takes for
each clip and metric the one sample whose mean over the horizon is best; taking the best of each
frame lets every frame come from another sample, which inflates the score.

Shapes: B clips, S samples of each, T frames of the horizon.
"""

from typing import Literal

import torch

from foreframe.errors import UserError
from foreframe.metrics import frames

Best = Literal["none", "sequence", "frame"]


def best(values_BST: torch.Tensor, how: Best, better: frames.Better) -> torch.Tensor:
    """Return one value for each clip and frame, float64 (B, T), of the values of S samples.

    `none` is the mean over samples, `sequence` all values of the sample with the best mean over the
    horizon (the first of equal ones), `frame` the best value of each frame.

    Raises:
        UserError: no sample, not three axes, NaN or infinity.
    """
    if values_BST.ndim != 3 or values_BST.numel() == 0:
        shape = tuple(values_BST.shape)
        raise UserError(f"scores must be (clips, samples, frames), at least one each, not {shape}.")
    frames.check_floating(values_BST, "scored")
    values_BST = values_BST.double()
    if how == "none":
        return values_BST.mean(dim=1)
    sign = 1 if better == "higher" else -1
    if how == "frame":
        return sign * (sign * values_BST).amax(dim=1)
    chosen_B = (sign * values_BST.mean(dim=2)).argmax(dim=1)
    return values_BST[torch.arange(len(values_BST), device=values_BST.device), chosen_B]
