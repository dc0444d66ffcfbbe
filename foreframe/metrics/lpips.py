"""Learned perceptual distance of each frame (Zhang et al. 2018), LPIPS v0.1 with AlexNet or VGG-16.

Frames are given in [0, 1] or as 8-bit and brought to [-1, 1] here: feeding the network [0, 1], as
many programs do, gives numbers that are comparable with nothing.

Shapes: B clips, T frames, N = B T images, H rows, W columns, C = 3 colours or channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.features import alexnet, images, layout, vgg16
from foreframe.features.lpips_heads import LpipsHeads
from foreframe.features.store import Weights
from foreframe.metrics import catalogue, frames
from foreframe.metrics.metric import Metric
from foreframe.roots import root

Backbone = Literal["alex", "vgg"]
BACKBONES = {"alex": alexnet, "vgg": vgg16}
NEEDED = {"alex": ("alexnet", "lpips_alex"), "vgg": ("vgg16", "lpips_vgg")}  # weights in the store
# ImageNet's mean and standard deviation of each colour, for values in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10  # added to the length of a feature vector before dividing by it

BETTER: frames.Better = "lower"
UNIT = ""
VARIANTS = {
    name: (
        f"LPIPS v0.1 with {network}, frames in [-1, 1] at their own size, mean over places of the "
        "weighted squared differences of unit feature vectors, then the mean over frames"
    )
    for name, network in (("alex", "AlexNet"), ("vgg", "VGG-16"))
}


class Lpips:
    """LPIPS with one backbone; the networks are fixed.

    Attributes:
        variant: the sentence for the protocol.
        digest: SHA-256 over the digests of the two weight files, for the protocol.
    """

    def __init__(
        self, backbone: Backbone, weights: Weights, heads: Weights, device: torch.device
    ) -> None:
        """Build the networks from stored weights: those in `NEEDED`, in that order.

        Raises:
            ArtefactError: the weights are of another layout.
        """
        module = BACKBONES[backbone]
        self._fewest = module.FEWEST_PIXELS
        self._backbone = module.build()
        self._heads = LpipsHeads(self._backbone.widths)
        layout.load(self._backbone, weights.tensors, weights.name)
        layout.load(self._heads, heads.tensors, heads.name)
        self._backbone.to(device)
        self._heads.to(device)
        self._device = device
        self.variant = VARIANTS[backbone]
        self.digest = hashlib.sha256(f"{weights.digest} {heads.digest}".encode()).hexdigest()

    @torch.no_grad()
    def __call__(self, real_BTHWC: Tensor, predicted_BTHWC: Tensor) -> Tensor:
        """Return the LPIPS of each frame, float64 (B, T), 0 for equal frames.

        Value range: uint8 0..255 or floating point 0..1 (see `images.unit`).

        Raises:
            UserError: unequal shapes, wrong frames, or frames smaller than the backbone needs.
        """
        frames.check_shapes(real_BTHWC, predicted_BTHWC)
        real, predicted = (self._activations(x) for x in (real_BTHWC, predicted_BTHWC))
        differences = [
            (_normalised(x) - _normalised(y)).square() for x, y in zip(real, predicted, strict=True)
        ]
        return self._heads(differences).double().reshape(real_BTHWC.shape[:2])

    def _activations(self, frames_BTHWC: Tensor) -> list[Tensor]:
        if frames_BTHWC.ndim == 5 and min(frames_BTHWC.shape[2:4]) < self._fewest:
            height, width = frames_BTHWC.shape[2:4]
            raise UserError(
                f"frames of {height} x {width} pixels are too small for this LPIPS, which needs "
                f"{self._fewest} x {self._fewest}: use larger frames or the other backbone."
            )
        x_NCHW = 2 * images.images(frames_BTHWC.to(self._device)) - 1
        shift, scale = (
            torch.tensor(values, device=self._device)[:, None, None] for values in (SHIFT, SCALE)
        )
        activations: list[Tensor] = self._backbone((x_NCHW - shift) / scale)
        return activations


def _normalised(x_NCHW: Tensor) -> Tensor:
    """Return unit feature vectors at every place (Zhang et al. 2018, eq. 1)."""
    return x_NCHW / (root(x_NCHW.square().sum(dim=1, keepdim=True)) + EPSILON)


def over(backbone: Backbone, folder: Path, device: torch.device) -> Metric:
    """Return the metric with one of the networks, as protocols know it."""
    about = Metric(f"lpips_{backbone}", VARIANTS[backbone], BETTER, UNIT)

    def build(found: Sequence[Weights]) -> Metric:
        network = Lpips(backbone, found[0], found[1], device)
        return replace(about, digest=network.digest, compare=network)

    return catalogue.learned(about, NEEDED[backbone], folder, build)
