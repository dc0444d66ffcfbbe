"""FVD over the pooled activations of I3D, as some papers compute it; see `fvd`."""

from pathlib import Path

import torch

from foreframe.metrics import fvd
from foreframe.metrics.metric import Metric


def metric(weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return fvd.over("fvd_pooled", "pooled", weights, device)
