"""Frames to a vector and back, with skips: the encoders and decoders of Denton and Fergus 2018.

Two backbones. `dcgan` (Radford et al. 2016) halves by strided 4x4 convolutions; `vgg` (Simonyan and
Zisserman 2015) has two or three 3x3 convolutions at each resolution and halves by maxima. Both end
at 4x4, which one convolution turns into a vector. The decoder mirrors the encoder and is given the
encoder's features at every resolution. Those stay the same while the future of a frame goes on, so
what they say is computed once (`FrameDecoder.read`) and added for each vector. The paper's frames
have 64 or 128 rows; smaller ones take fewer stages.

Shapes: B frames, R frames that were seen, C channels, F features of the vector, H rows = W columns.
"""

import itertools
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.pooling import enlarge, maxima
from foreframe.networks.recomputed import Recomputed

Backbone = Literal["dcgan", "vgg"]

# Rows of the last picture, before the vector.
LOWEST = 4
# Sizes of frames: of the paper, and smaller ones.
SIZES = (16, 32, 64, 128)
# No features have more channels than this times the width.
WIDEST = 8
SLOPE = 0.2
# Convolutions of a stage of `vgg`: two, and from the third stage on three.
SHALLOW, DEEP = 2, 3


def widths(rows: int, width: int) -> list[int]:
    """Return the channels of each stage, the first being the one of the highest resolution."""
    assert rows in SIZES, rows
    stages = (rows // LOWEST).bit_length() - 1
    return [width * min(2**stage, WIDEST) for stage in range(stages)]


class FrameEncoder(Recomputed):
    """A frame to a vector within (-1, 1), and features at every resolution."""

    def __init__(
        self, backbone: Backbone, channels: int, rows: int, width: int, features: int
    ) -> None:
        super().__init__()
        found = widths(rows, width)
        self.pools = backbone == "vgg"
        self.stages = nn.ModuleList()
        for stage, (inputs, outputs) in enumerate(zip([channels, *found], found, strict=False)):
            self.stages.append(_shrinking(backbone, stage, inputs, outputs))
        self.head = nn.Sequential(
            nn.Conv2d(found[-1], features, LOWEST), nn.BatchNorm2d(features), nn.Tanh()
        )

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return vectors (B,F) and what the decoder is given of each stage, the first first."""
        skips = []
        for stage in self.stages:
            skips.append(stage(x_BCHW))
            x_BCHW = maxima(skips[-1]) if self.pools else skips[-1]
        return self.head(x_BCHW).flatten(1), skips


class Joined(nn.Module):
    """A convolution of what comes and of what was seen, both of `inputs` channels, side by side.

    It is the sum of two, of which each may be computed when its half is known.
    """

    def __init__(self, convolution: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.inputs = convolution.in_channels // 2

    def read(self, seen_RCHW: Tensor) -> Tensor:
        """Return what is said by what was seen."""
        return self._of(1, seen_RCHW, None)

    def forward(self, x_BCHW: Tensor, said_BCHW: Tensor) -> Tensor:
        """Return the convolution of x and of what `read` was given."""
        return self._of(0, x_BCHW, self.convolution.bias) + said_BCHW

    def _of(self, half: int, x_BCHW: Tensor, bias: Tensor | None) -> Tensor:
        own, weight = self.convolution, self.convolution.weight
        assert not isinstance(own.padding, str)
        if isinstance(own, nn.ConvTranspose2d):
            weight = weight.split(self.inputs)[half]
            return functional.conv_transpose2d(x_BCHW, weight, bias, own.stride, own.padding)
        weight = weight.split(self.inputs, dim=1)[half]
        return functional.conv2d(x_BCHW, weight, bias, own.stride, own.padding)


class FrameDecoder(Recomputed):
    """A vector to a frame within (0, 1), given features at every resolution."""

    def __init__(
        self, backbone: Backbone, channels: int, rows: int, width: int, features: int
    ) -> None:
        super().__init__()
        found = widths(rows, width)
        self.enlarges = backbone == "vgg"
        self.head = _normalized(nn.ConvTranspose2d(features, found[-1], LOWEST))
        self.joined, self.stages = nn.ModuleList(), nn.ModuleList()
        for stage in reversed(range(len(found))):
            outputs = found[stage - 1] if stage else channels
            joined, rest = _growing(backbone, stage, found[stage], outputs)
            self.joined.append(Joined(joined))
            self.stages.append(rest)

    def read(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return what (R,C,H,W) the features of frames say to each stage, the lowest first.

        `skips` are what `FrameEncoder` gives of each stage.
        """
        pairs = zip(self.joined, reversed(skips), strict=True)
        return [joined.read(skip) for joined, skip in pairs]  # type: ignore[operator]

    def forward(self, vector_BF: Tensor, said: Sequence[Tensor]) -> Tensor:
        """Return frames (B,C,H,W) of vectors and what `read` gives of each stage."""
        x_BCHW = self.head(vector_BF[:, :, None, None])
        for joined, stage, said_BCHW in zip(self.joined, self.stages, said, strict=True):
            x_BCHW = stage(joined(enlarge(x_BCHW) if self.enlarges else x_BCHW, said_BCHW))
        return x_BCHW.sigmoid()


def _shrinking(backbone: Backbone, stage: int, inputs: int, outputs: int) -> nn.Sequential:
    if backbone == "dcgan":
        return _normalized(nn.Conv2d(inputs, outputs, 4, 2, 1))
    return _convolutions([inputs] + [outputs] * _depth(stage))


def _growing(
    backbone: Backbone, stage: int, inputs: int, outputs: int
) -> tuple[nn.Conv2d | nn.ConvTranspose2d, nn.Module]:
    """Return what undoes a stage: a convolution of features that come twice, and all after it.

    The last stage ends unnormalised.
    """
    if backbone == "dcgan":
        convolution = nn.ConvTranspose2d(2 * inputs, outputs, 4, 2, 1)
        return convolution, _after(outputs) if stage else nn.Identity()
    joined = nn.Conv2d(2 * inputs, inputs, 3, padding=1)
    others: nn.Module
    if stage:
        others = _convolutions([inputs] * (_depth(stage) - 1) + [outputs])
    else:
        others = nn.Conv2d(inputs, outputs, 3, padding=1)
    return joined, nn.Sequential(_after(inputs), others)


def _convolutions(channels: Sequence[int]) -> nn.Sequential:
    pairs = itertools.pairwise(channels)
    return nn.Sequential(
        *[_normalized(nn.Conv2d(inputs, outputs, 3, padding=1)) for inputs, outputs in pairs]
    )


def _normalized(convolution: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(convolution, *_after(convolution.out_channels))


def _after(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.LeakyReLU(SLOPE))


def _depth(stage: int) -> int:
    return SHALLOW if stage < SHALLOW else DEEP
