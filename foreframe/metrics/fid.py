"""Frechet inception distance (Heusel et al. 2017) of frames, each taken as an image of its own.

It cannot see motion: the same frames in any order have the same FID.

Shapes: B clips, T frames, N = B T images, H rows, W columns, C = 3 colours.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from foreframe.features import images, inception_v3, layout
from foreframe.features.store import Weights
from foreframe.metrics import catalogue, frames
from foreframe.metrics.metric import Metric
from foreframe.metrics.video_sets import FrechetSets

NEEDED = ("inception_v3",)  # weights in the store

BETTER: frames.Better = "lower"
UNIT = ""
VARIANT = (
    "Frechet distance over the 2,048 pooled activations of Inception-v3 (TensorFlow, 2015-12-05) "
    "of single frames, resized to 299 x 299 (bilinear, align_corners=False, no antialiasing), "
    "values in [-1, 1]"
)


class Inception:
    """Inception-v3 with stored weights.

    Attributes:
        digest: SHA-256 of the weight file, for the protocol.
    """

    def __init__(self, weights: Weights, device: torch.device) -> None:
        """Build the network from stored weights.

        Raises:
            ArtefactError: the weights are of another layout.
        """
        self.network = inception_v3.InceptionV3()
        layout.load(self.network, weights.tensors, weights.name)
        self.network.to(device)
        self._device = device
        self.digest = weights.digest

    def prepared(self, frames_BTHWC: Tensor) -> Tensor:
        """Return frames as the network takes them: (N, 3, 299, 299) in [-1, 1].

        Value range: uint8 0..255 or floating point 0..1 (see `images.unit`).

        Raises:
            UserError: wrong frames.
        """
        moved = images.images(frames_BTHWC.to(self._device))
        return 2 * images.resize(moved, inception_v3.SIDE, inception_v3.SIDE) - 1


class FidFeatures(Inception):
    """Inception-v3 as a feature network for `frechet.FrechetDistance`.

    Attributes:
        size: the number of features.
    """

    size = inception_v3.POOLED

    @torch.no_grad()
    def __call__(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the features of clips, one row for each frame, float32 (B, T, 2048).

        Raises:
            UserError: wrong frames.
        """
        features_ND = self.network.pooled(self.prepared(frames_BTHWC))
        return features_ND.unflatten(0, frames_BTHWC.shape[:2])


def metric(weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    about = Metric("fid", VARIANT, BETTER, UNIT)

    def build(found: Sequence[Weights]) -> Metric:
        features = FidFeatures(found[0], device)
        return replace(about, digest=features.digest, accumulate=partial(FrechetSets, features))

    return catalogue.learned(about, NEEDED, weights, build)
