"""Good frames: for how long a rollout is better than everything that needs no model.

Xu 2022, 6.4 and 7: about one frame of adequate quality. A frame counts as good while its PSNR is
above that of every baseline's frame.

Shapes: n clips, T predicted frames.
"""

from typing import Any

import torch
from torch import Tensor

from foreframe.evaluation import columns


def leading(rollout_nT: Tensor, baseline_nT: Tensor) -> Tensor:
    """Return for how many frames in a row, from the first, the rollout is better: int64 (n,)."""
    return (rollout_nT > baseline_nT).long().cumprod(dim=1).sum(dim=1)


def summarize(rollout_nT: Tensor, baseline_nT: Tensor) -> dict[str, Any]:
    """Return how many good frames in a row clips have, and how many in all, for PSNR in dB.

    `baseline` is the best of the baselines, frame by frame. `clips_by_frames` counts the clips with
    0, 1, ..., T good frames in a row.
    """
    first_n, horizon = leading(rollout_nT, baseline_nT), rollout_nT.shape[1]
    # Not bincount, which has no deterministic kernel on a GPU.
    counts = [int((first_n == frames).sum()) for frames in range(horizon + 1)]
    return {
        "in_a_row": columns.mean(first_n.double()),
        "in_all": columns.mean((rollout_nT > baseline_nT).double().sum(dim=1)),
        "median_in_a_row": int(torch.median(first_n)),
        "clips_by_frames": counts,
        "horizon": horizon,
    }
