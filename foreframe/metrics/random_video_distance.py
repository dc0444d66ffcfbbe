"""The random video distance: a Frechet distance over a fixed, untrained 3-D convolutional network.

For machines without the weights of a trained one. It is no FVD, and its numbers mean nothing beside
FVD's: it notices noise, blur, colour, edges and motion, and knows nothing of objects or actions.
docs/weights.md shows on constructed cases what it can and cannot see.

The first layer is drawn in three groups: kernels that sum to 0 over time see change alone, kernels
that sum to 0 over space see edges, the rest also sees brightness and colour. Each channel of every
layer gives one feature, its root-mean-square activation over the clip in decibels, so that faint
motion counts as much as bright sky.

Shapes: B clips, T frames, H rows, W columns, C channels, K = 1 row of features for each clip.
"""

import hashlib
import math
from functools import partial
from pathlib import Path

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from foreframe import randomness
from foreframe.errors import UserError
from foreframe.features import images
from foreframe.metrics.frames import Better
from foreframe.metrics.metric import Metric
from foreframe.metrics.video_sets import FrechetSets

WIDTHS = (16, 16, 32)  # channels of the three layers, finer to coarser
KERNELS = ((3, 5, 5), (3, 3, 3), (3, 3, 3))  # frames, rows, columns
STRIDE = (1, 2, 2)  # of every layer; no padding, because a border would be an edge
GROUP = 6  # kernels of the first layer that see change alone; as many see edges
FEATURES = sum(WIDTHS)
FEWEST_FRAMES = 7
FEWEST_PIXELS = 17  # a side
FLOOR = 1e-4  # mean square: activations under 1 % of the value range do not count
SEED = 0  # part of the metric's definition: never that of a study

BETTER: Better = "lower"
UNIT = "dB^2"
VARIANT = (
    "Frechet distance over 64 features of a fixed random 3-D convolutional network, not FVD: three "
    "layers without padding, stride 1x2x2, the root-mean-square activation of each channel over "
    "the clip in decibels, floor -40 dB; frames at their own size"
)


class RandomVideoFeatures:
    """The fixed random network: the same weights on every machine and in every version.

    Attributes:
        size: the number of features, 64.
        digest: SHA-256 of the weights, 64 hexadecimal digits, for the protocol.
    """

    size = FEATURES

    def __init__(self, device: torch.device) -> None:
        """Draw the weights and put them on `device`."""
        weights = _weights()
        self.digest = _digest(weights)
        self._weights = [weight.to(device) for weight in weights]

    @torch.no_grad()
    def __call__(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the features of clips, float64 (B, 1, 64), in decibels, never below -40.

        Value range: uint8 0..255 or floating point 0..1.

        Raises:
            UserError: wrong frames (see `images.unit`), fewer than 7, or smaller than 17 x 17.
        """
        _check(frames_BTHWC)
        moved = frames_BTHWC.to(self._weights[0].device)
        x_BCTHW = images.unit(moved).permute(0, 4, 1, 2, 3) - 0.5
        features = []
        for weight in self._weights:
            x_BCTHW = functional.conv3d(x_BCTHW, weight, stride=STRIDE).relu()
            power_BC = x_BCTHW.double().square().mean(dim=(2, 3, 4))
            features.append(10 * (power_BC + FLOOR).log10())
        return torch.cat(features, dim=1)[:, None]


def _check(frames_BTHWC: Tensor) -> None:
    if frames_BTHWC.ndim != 5:
        return  # images.unit says what is wrong
    _, frames, height, width, _ = frames_BTHWC.shape
    if frames < FEWEST_FRAMES:
        raise UserError(
            f"clips of {frames} frames are too short for the random video distance, which needs "
            f"{FEWEST_FRAMES}: measure longer futures, or with their context."
        )
    if min(height, width) < FEWEST_PIXELS:
        raise UserError(
            f"frames of {height} x {width} pixels are too small for the random video distance, "
            f"which needs {FEWEST_PIXELS} x {FEWEST_PIXELS}: use larger frames."
        )


def _weights() -> list[Tensor]:
    """Return the kernels (out, in, T, H, W) of the layers, scaled to keep the signal's power."""
    layers = []
    for layer, (inputs, outputs) in enumerate(zip((3, *WIDTHS[:-1]), WIDTHS, strict=True)):
        kernel = _integers((outputs, inputs, *KERNELS[layer]), layer)
        if layer == 0:
            change, edges = kernel[:GROUP], kernel[GROUP : 2 * GROUP]
            change[:] = change.shape[2] * change - change.sum(2, keepdims=True)
            window = edges.shape[3] * edges.shape[4]
            edges[:] = window * edges - edges.sum((3, 4), keepdims=True)
        # After a rectifier half of the power is left (He et al. 2015, eq. 10).
        power = 1.0 if layer == 0 else 2.0
        layers.append(_scaled(kernel, power))
    return layers


def _integers(shape: tuple[int, ...], layer: int) -> NDArray[numpy.int64]:
    """Return uniform integers from -32,768 to 32,767.

    The raw bits of the generator are the one stream that NumPy promises never to change, and sums
    of integers are exact on every processor.
    """
    # Half of the key's bits: those that these weights have always been drawn from.
    stream = numpy.random.Philox(key=randomness.key(SEED, "random_video_distance", layer) >> 64)
    raw = numpy.asarray(stream.random_raw(math.prod(shape)), dtype=numpy.uint64)
    return ((raw >> numpy.uint64(48)).astype(numpy.int64) - 2**15).reshape(shape)


def _scaled(kernel: NDArray[numpy.int64], power: float) -> Tensor:
    """Return float32 kernels (out, in, T, H, W) whose squares sum to `power` for each output."""
    squares = (kernel * kernel).sum((1, 2, 3, 4), keepdims=True)
    return torch.from_numpy((kernel * numpy.sqrt(power / squares)).astype(numpy.float32))


def _digest(weights: list[Tensor]) -> str:
    content = hashlib.sha256()
    for weight in weights:
        content.update(weight.numpy().astype("<f4").tobytes())
    return content.hexdigest()


def metric(_weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    features = RandomVideoFeatures(device)
    about = (VARIANT, BETTER, UNIT, features.digest)
    return Metric("random_video_distance", *about, accumulate=partial(FrechetSets, features))
