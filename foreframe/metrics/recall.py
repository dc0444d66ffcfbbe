"""How much of what is true could have been predicted: see `neighbours`."""

from pathlib import Path

import torch

from foreframe.metrics import neighbours
from foreframe.metrics.metric import Metric


def metric(weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return neighbours.over_inception("recall", weights, device)
