"""Frechet video distance (Unterthiner et al. 2018): features of I3D, trained on Kinetics-400.

Published numbers differ in what they feed the network; here every choice is part of the variant.
Whether the context's frames belong to a clip is for whoever makes the clips, and for the protocol.

Shapes: B clips, T frames, N = B T images, H rows, W columns, C = 3 colours, K = 1 row of features.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.features import i3d, images, layout
from foreframe.features.store import Weights
from foreframe.metrics import catalogue, frames
from foreframe.metrics.metric import Metric
from foreframe.metrics.video_sets import FrechetSets

Output = Literal["logits", "pooled"]
SIZES = {"logits": i3d.CLASSES, "pooled": i3d.POOLED}
NEEDED = ("i3d",)  # weights in the store

BETTER: frames.Better = "lower"
UNIT = ""
VARIANTS = {
    output: (
        f"Frechet distance over the {what} of I3D (RGB, Kinetics-400), mean over time; all frames "
        "of a clip, resized to 224 x 224 (bilinear, align_corners=False), values in [-1, 1]"
    )
    for output, what in (("logits", "400 logits"), ("pooled", "1,024 pooled activations"))
}


class FvdFeatures:
    """I3D as a feature network for `frechet.FrechetDistance`.

    Attributes:
        size: the number of features.
        variant: the sentence for the protocol.
        digest: SHA-256 of the weight file, for the protocol.
    """

    def __init__(self, weights: Weights, device: torch.device, output: Output = "logits") -> None:
        """Build the network from stored weights.

        Raises:
            ArtefactError: the weights are of another layout.
        """
        self._network = i3d.I3D()
        layout.load(self._network, weights.tensors, weights.name)
        self._network.to(device)
        self._device = device
        self._features = self._network if output == "logits" else self._network.pooled
        self.size = SIZES[output]
        self.variant = VARIANTS[output]
        self.digest = weights.digest

    @torch.no_grad()
    def __call__(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the features of clips, float32 (B, 1, 400 or 1024).

        Value range: uint8 0..255 or floating point 0..1 (see `images.unit`).

        Raises:
            UserError: wrong frames, or fewer than 9 in a clip.
        """
        if frames_BTHWC.ndim == 5 and frames_BTHWC.shape[1] < i3d.FEWEST_FRAMES:
            raise UserError(
                f"clips of {frames_BTHWC.shape[1]} frames are too short for FVD, which needs "
                f"{i3d.FEWEST_FRAMES}: measure longer futures, or with their context."
            )
        x_NCHW = images.resize(images.images(frames_BTHWC.to(self._device)), i3d.SIDE, i3d.SIDE)
        x_BTCHW = (2 * x_NCHW - 1).unflatten(0, frames_BTHWC.shape[:2])
        features_BD: Tensor = self._features(x_BTCHW.transpose(1, 2))
        return features_BD[:, None]


def metric(weights: Path, device: torch.device) -> Metric:
    """Return the metric over the logits, as most papers compute it."""
    return over("fvd", "logits", weights, device)


def over(name: str, output: Output, folder: Path, device: torch.device) -> Metric:
    """Return the metric over one of the network's outputs, as protocols know it."""
    about = Metric(name, VARIANTS[output], BETTER, UNIT)

    def build(found: Sequence[Weights]) -> Metric:
        features = FvdFeatures(found[0], device, output)
        return replace(about, digest=features.digest, accumulate=partial(FrechetSets, features))

    return catalogue.learned(about, NEEDED, folder, build)
