"""`precision` over untrained features, where Inception's weights are absent: see `neighbours`."""

from pathlib import Path

import torch

from foreframe.metrics import neighbours
from foreframe.metrics.metric import Metric


def metric(_weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return neighbours.over_stills("precision", device)
