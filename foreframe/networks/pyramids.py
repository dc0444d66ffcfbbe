"""A pyramid of features up from a frame, and the network that comes down it again, to every level.

The extractor and the conditioning network of a recurrent flow (Glissov and Konradsen 2021, 8.1).
`vgg` halves by maxima and enlarges by copies, `dcgan` does both by strided convolutions. All
convolutions are 3x3 without bias, followed by batch normalisation and LeakyReLU 0.2.

Shapes: B frames, C channels, H rows and W columns of a frame; level l = 1 ... L has H/2^l rows.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from foreframe.errors import UserError
from foreframe.networks.pooling import enlarge, maxima
from foreframe.networks.recomputed import Recomputed

Kind = Literal["vgg", "dcgan"]
SLOPE = 0.2


class Convolution(nn.Sequential):
    """A 3x3 convolution, halving with a stride of 2; BatchNorm, LeakyReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(SLOPE),
        )


class Extractor(Recomputed):
    """L blocks, each half as high and wide as the one before, with `widths` channels.

    Block l has a convolution to the width of the block before (the first one two, to half of its
    own), halves, and has one to its own width.
    """

    def __init__(self, kind: Kind, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        first = widths[0] // 2
        self.stem = Convolution(inputs, first)
        before = [first, *widths[:-1]]
        self.wide = nn.ModuleList(Convolution(width, width) for width in before)
        self.pools = kind == "vgg"
        stride = 1 if self.pools else 2
        self.halved = nn.ModuleList(
            Convolution(inside, width, stride) for inside, width in zip(before, widths, strict=True)
        )

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Return the features of levels 1 to L."""
        found = []
        h_BCHW = self.stem(x_BCHW)
        for wide, halved in zip(self.wide, self.halved, strict=True):
            h_BCHW = wide(h_BCHW)
            h_BCHW = halved(maxima(h_BCHW) if self.pools else h_BCHW)
            found.append(h_BCHW)
        return found


class Conditioner(Recomputed):
    """From a picture at level L down to a map for each level l, with `widths[l - 1]` channels.

    Two convolutions a level, at the lowest resolution the first twice as wide; `skips` are channels
    of what is concatenated to the first of each, or () where nothing is.
    """

    def __init__(
        self, kind: Kind, inputs: int, widths: Sequence[int], skips: Sequence[int]
    ) -> None:
        super().__init__()
        levels = len(widths)
        told = list(skips) or [0] * levels
        into = [*widths[1:], inputs]
        inside = [*widths[:-1], 2 * widths[-1]]
        self.enlarged = nn.ModuleList(
            nn.Identity() if kind == "vgg" else _transposed(width) for width in widths[1:]
        )
        self.copies = kind == "vgg"
        self.blocks = nn.ModuleList(
            nn.Sequential(
                Convolution(into[level] + told[level], inside[level]),
                Convolution(inside[level], widths[level]),
            )
            for level in range(levels)
        )

    def forward(self, lowest_BCHW: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps of levels 1 to L; `skips` are features of these levels, or nothing."""
        found: list[Tensor] = []
        h_BCHW = lowest_BCHW
        for level in reversed(range(len(self.blocks))):
            if found:
                h_BCHW = enlarge(h_BCHW) if self.copies else self.enlarged[level](h_BCHW)
            seen = torch.cat([h_BCHW, skips[level]], dim=1) if skips else h_BCHW
            h_BCHW = self.blocks[level](seen)
            found.append(h_BCHW)
        return found[::-1]


def _transposed(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(width, width, 4, 2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(SLOPE),
    )


def lowest(kind: str, levels: int, height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of the last of L levels.

    Raises:
        UserError: the predictor `kind` cannot halve frames of this size so many times.
    """
    factor = 2**levels
    if height % factor or width % factor:
        fitting = [max(1, round(side / factor)) * factor for side in (height, width)]
        raise UserError(
            f"The predictor {kind} halves frames {levels} times, but these have {height} x {width} "
            f"pixels. Set source.height and source.width to multiples of {factor}, such as "
            f"{fitting[0]} and {fitting[1]}, or lower levels."
        )
    return height // factor, width // factor
