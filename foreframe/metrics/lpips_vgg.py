"""LPIPS with VGG-16; see `lpips`."""

from pathlib import Path

import torch

from foreframe.metrics import lpips
from foreframe.metrics.metric import Metric


def metric(weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return lpips.over("vgg", weights, device)
