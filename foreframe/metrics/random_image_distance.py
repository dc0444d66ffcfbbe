"""The random image distance: a Frechet distance of single frames over fixed, untrained features.

For machines without Inception's weights. It is no FID, and its numbers mean nothing beside FID's;
like it, it cannot see motion.
"""

from functools import partial
from pathlib import Path

import torch

from foreframe.metrics.frames import Better
from foreframe.metrics.metric import Metric
from foreframe.metrics.stills import NETWORK, StillFeatures
from foreframe.metrics.video_sets import FrechetSets

BETTER: Better = "lower"
UNIT = "dB^2"
VARIANT = f"Frechet distance over {NETWORK}, not FID; frames at their own size"


def metric(_weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    features = StillFeatures(device)
    about = (VARIANT, BETTER, UNIT, features.digest)
    return Metric("random_image_distance", *about, accumulate=partial(FrechetSets, features))
