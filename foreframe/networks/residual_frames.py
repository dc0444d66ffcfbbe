"""Frames to features at every resolution, down to one place: the encoders of Castrejon 2022.

The residual encoder is the one of the hierarchical VRNN (Castrejon et al. 2019, table 4.4 of the
thesis); the strided one, without residual blocks, is that of its capacity ladder (table 4.1).
Activations, groups and the weight of a residual branch are a `Style`: the thesis prints ReLU, 16
groups and 1, the authors' code has LeakyReLU 0.2, 4 groups and 0.1.

Shapes: B frames or clips of T, C channels, H rows = W columns. A resolution is
named by its rows; 1 is the top.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from foreframe.networks.pooling import maxima
from foreframe.networks.recomputed import Layers, Recomputed
from foreframe.randomness import Numbers

# Rows of the last features that are still a picture; a single place follows.
LOWEST = 4
# No features have more channels than this times the width.
WIDEST = 8
# How far from 0 a normalisation begins that says nothing.
SILENCE = 1e-3


@dataclass(frozen=True)
class Style:
    """What all blocks have in common.

    Attributes:
        slope: of the activation below 0; 0 is ReLU.
        groups: of the normalisation of features.
        state_groups: of that of recurrent cells, starting states and latents.
        residual: what the branch of a residual block is multiplied by.
    """

    slope: float
    groups: int
    state_groups: int
    residual: float

    def activation(self) -> nn.LeakyReLU:
        """Return the activation."""
        return nn.LeakyReLU(self.slope)


def sizes(rows: int) -> tuple[int, ...]:
    """Return the resolutions of frames of so many rows, from theirs to the top: 64, ..., 4, 1.

    Raises:
        ValueError: halving does not lead to 4 rows.
    """
    found = [rows]
    while found[-1] > LOWEST and found[-1] % 2 == 0:
        found.append(found[-1] // 2)
    if found[-1] != LOWEST or rows == LOWEST:
        raise ValueError(f"{rows} rows, halved again and again, do not become {LOWEST}.")
    return (*found, 1)


class ResidualBlock(Recomputed):
    """x + weight x branch of two normalised 3x3 convolutions that begin with an activation."""

    def __init__(self, inputs: int, outputs: int, style: Style, groups: int) -> None:
        super().__init__()
        hidden = min(inputs, outputs)
        self.weight = style.residual
        self.branch = nn.Sequential(
            style.activation(),
            nn.Conv2d(inputs, hidden, 3, padding=1),
            nn.GroupNorm(groups, hidden),
            style.activation(),
            nn.Conv2d(hidden, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(groups, outputs),
        )
        same = inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features (B,outputs,H,W) of x."""
        shortcut_BCHW: Tensor = self.shortcut(x_BCHW)
        return shortcut_BCHW + self.weight * self.branch(x_BCHW)


class SilentNorm(nn.GroupNorm):
    """A group normalisation that begins with scale 0: whatever comes in, nearly 0 goes out."""

    def draw(self, numbers: Numbers) -> None:
        """Set scales to 0 and draw shifts from N(0, 0.001^2)."""
        nn.init.zeros_(self.weight)
        self.bias.copy_(SILENCE * numbers.normal(self.bias.shape))


def normalized(inputs: int, outputs: int, kernel: int, groups: int, style: Style) -> nn.Sequential:
    """Return a convolution that keeps the resolution, its normalisation and an activation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return Layers(convolution, nn.GroupNorm(groups, outputs), style.activation())


def enlarging(inputs: int, outputs: int, of: int, style: Style) -> nn.Sequential:
    """Return the way from the resolution `of` to the next larger one: 1 to 4, others doubled."""
    stride, padding = (1, 0) if of == 1 else (2, 1)
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride, padding)
    return Layers(convolution, nn.GroupNorm(style.groups, outputs), style.activation())


class ResidualEncoder(nn.Module):
    """Two residual blocks a resolution, halved by maxima; 24,113,920 weights at width 64, 64 rows.

    Attributes:
        widths: channels of the features at each resolution.
    """

    def __init__(self, channels: int, rows: int, width: int, style: Style) -> None:
        super().__init__()
        found = sizes(rows)
        self.widths = {size: width * min(2**depth, WIDEST) for depth, size in enumerate(found)}
        first = nn.Sequential(
            nn.Conv2d(channels, width, 1), ResidualBlock(width, width, style, style.groups)
        )
        self.stages = nn.ModuleDict({str(rows): first})
        for above, size in pairwise(found):
            inputs, outputs = self.widths[above], self.widths[size]
            # Where the width arrives at its last value, the second block widens.
            last = inputs < outputs == width * WIDEST
            between = inputs if last else outputs
            groups = 1 if size == 1 else style.groups
            self.stages[str(size)] = nn.Sequential(
                ResidualBlock(inputs, between, style, groups),
                ResidualBlock(between, outputs, style, groups),
            )

    def forward(self, x_BCHW: Tensor) -> dict[int, Tensor]:
        """Return features (B,C,H,W) at each resolution."""
        found: dict[int, Tensor] = {}
        h_BCHW = x_BCHW
        for name, stage in self.stages.items():
            size = int(name)
            factor = h_BCHW.shape[-1] // size
            h_BCHW = stage(h_BCHW if factor == 1 else maxima(h_BCHW, factor))
            found[size] = h_BCHW
        return found


class StridedEncoder(Recomputed):
    """A strided 4x4 convolution for each halving; the features at full resolution are the frame.

    Attributes:
        widths: channels of the features at each resolution.
    """

    def __init__(self, channels: int, rows: int, width: int, style: Style) -> None:
        super().__init__()
        found = sizes(rows)
        self.widths = {rows: channels}
        self.stages = nn.ModuleDict()
        for depth, (above, size) in enumerate(pairwise(found)):
            self.widths[size] = width * min(2**depth, WIDEST)
            stride, padding, groups = (1, 0, 1) if size == 1 else (2, 1, style.groups)
            self.stages[str(size)] = nn.Sequential(
                nn.Conv2d(self.widths[above], self.widths[size], 4, stride, padding),
                nn.GroupNorm(groups, self.widths[size]),
                style.activation(),
            )

    def forward(self, x_BCHW: Tensor) -> dict[int, Tensor]:
        """Return features (B,C,H,W) at each resolution."""
        found = {x_BCHW.shape[-1]: x_BCHW}
        h_BCHW = x_BCHW
        for name, stage in self.stages.items():
            h_BCHW = stage(h_BCHW)
            found[int(name)] = h_BCHW
        return found


Encoder = ResidualEncoder | StridedEncoder


def of_clips(encoder: Encoder, x_BCTHW: Tensor) -> dict[int, Tensor]:
    """Return features (B,T,C,H,W) at each resolution of clips (B,C,T,H,W), in one call."""
    features = encoder(x_BCTHW.transpose(1, 2).flatten(0, 1))
    return {
        size: h_BCHW.unflatten(0, (len(x_BCTHW), x_BCTHW.shape[2]))
        for size, h_BCHW in features.items()
    }


def cut(features: Mapping[int, Tensor], times: slice) -> dict[int, Tensor]:
    """Return features (B,T,C,H,W) of some frames only."""
    return {size: h_BTCHW[:, times] for size, h_BTCHW in features.items()}
