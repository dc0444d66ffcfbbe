"""Generators of clips (Clark et al. 2019, DVD-GAN; Castrejon et al. 2022, CVG).

A condition, noise with the class of the clip, is mapped to a small picture that every step begins
from. Units follow: what joins the steps, a recurrence (`gru`) or convolutions of time
(`separable`), then two residual blocks of single frames, of which the second doubles the size. A
generator that is shown a clip of the level below sees it after each block that is not larger than
that clip: its frames at the block's size by nearest neighbours, repeated to the block's number of
steps, and mapped to the block's channels. What the papers leave open is marked by "here".

Shapes: B rows, T steps, t steps of the clip below, C channels, E numbers of a condition, Z of
noise, H rows and W columns.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from foreframe.config.base import Strict
from foreframe.networks.frame_vae import over_time
from foreframe.networks.pooling import enlarge
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.spectral import Classes, Convolution, Linear
from foreframe.networks.step_norms import StepNorm

KERNEL = (3, 3)
TIME = (3, 1)  # of time, all places of a frame in a row
ONE = (1, 1)

Count = Annotated[int, Field(ge=1)]
Temporal = Literal["gru", "separable"]


class GeneratorSettings(Strict):
    """The widths of a generator, unit by unit: `channels` times each of `multipliers`.

    Kinetics-600: 8, 8, 4, 2 (32 rows) and 8, 8, 4, 2, 1 (128 rows) times 128.
    """

    grid: Annotated[int, Field(ge=2, multiple_of=2)]  # rows and columns that it begins with, 4
    channels: Count
    multipliers: Annotated[tuple[Count, ...], Field(min_length=1)]
    temporal: Temporal

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels that each unit makes."""
        return tuple(self.channels * each for each in self.multipliers)

    @property
    def sizes(self) -> tuple[int, int]:
        """The sizes that it can make: with a last unit that keeps the size, or doubles it."""
        units = len(self.multipliers)
        return self.grid * 2 ** (units - 1), self.grid * 2**units

    def sides(self, size: int) -> list[int]:
        """Return the rows before each unit, and after the last."""
        ends = [self.grid * 2**unit for unit in range(1, len(self.multipliers))]
        return [self.grid, *ends, size]


class ConvGRU(Recomputed):
    """u, r = sigmoid, c = ReLU of convolutions;  h' = u h + (1 - u) c, where c sees x and r h."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = Convolution(2 * channels, 2 * channels, KERNEL)
        self.candidate = Convolution(2 * channels, channels, KERNEL)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return h (B,T,C,H,W) after each step, from 0 on."""
        h_BCHW, shown = torch.zeros_like(x_BTCHW[:, 0]), []
        gates, candidate = (_Parted(each, x_BTCHW) for each in (self.gates, self.candidate))
        for step in range(x_BTCHW.shape[1]):
            update, reset = gates(step, h_BCHW).sigmoid().chunk(2, dim=1)
            told_BCHW = candidate(step, reset * h_BCHW).relu()
            h_BCHW = update * h_BCHW + (1 - update) * told_BCHW
            shown.append(h_BCHW)
        return torch.stack(shown, dim=1)


class _Parted:
    """A convolution of [x; h]: what all steps of x say is known before the first state is."""

    def __init__(self, layer: Convolution, x_BTCHW: Tensor) -> None:
        of_x, self._of_h = layer.used().split(x_BTCHW.shape[2], dim=1)
        flat = layer.convolved(x_BTCHW.flatten(0, 1), of_x, layer.bias)
        self._layer, self._said = layer, flat.unflatten(0, x_BTCHW.shape[:2])

    def __call__(self, step: int, h_BCHW: Tensor) -> Tensor:
        return self._said[:, step] + self._layer.convolved(h_BCHW, self._of_h, None)


class FrameConvolution(Convolution):
    """A convolution of 3x3 places of each frame."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__(inputs, outputs, KERNEL, bias=bias)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return (B,T,C,H,W)."""
        # One weight for all frames, and one call.
        flat = self.convolved(x_BTCHW.flatten(0, 1), self.used(), self.bias)
        return flat.unflatten(0, x_BTCHW.shape[:2])


class Separable(nn.Module):
    """A convolution of three steps, then one of 3x3 places."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.time = Convolution(inputs, outputs, TIME, bias=False)
        self.space = FrameConvolution(outputs, outputs, bias=bias)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return (B,T,C,H,W)."""
        joined_BCTN: Tensor = self.time(x_BTCHW.transpose(1, 2).flatten(3))
        found: Tensor = self.space(joined_BCTN.unflatten(3, x_BTCHW.shape[3:]).transpose(1, 2))
        return found


class Block(Recomputed):
    """x + conv(relu(norm(conv(relu(norm(x)))))), of single frames or, where it joins, of steps too.

    Where it doubles, that is before the first convolution. Beside it, where size or channels
    change, is a 1x1 convolution. Biases that a normalisation would take away are left out.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        frames: int,
        condition: int,
        *,
        joins: bool,
        doubles: bool,
    ) -> None:
        super().__init__()
        inputs, outputs = channels
        layer = Separable if joins else FrameConvolution
        self.doubles = doubles
        self.norm = StepNorm(inputs, frames, condition)
        self.first = layer(inputs, outputs, bias=False)
        self.inner_norm = StepNorm(outputs, frames, condition)
        self.second = layer(outputs, outputs, bias=True)
        changes = doubles or inputs != outputs
        self.shortcut = Convolution(inputs, outputs, ONE, bias=False) if changes else None

    def forward(self, x_BTCHW: Tensor, told_BE: Tensor) -> Tensor:
        """Return (B,T,C,H,W)."""
        inner = self.first(self._doubled(self.norm(x_BTCHW, told_BE).relu()))
        made = self.second(self.inner_norm(inner, told_BE).relu())
        if self.shortcut is None:
            return made + x_BTCHW
        # Doubled last, where it is the same and cheaper.
        return made + self._doubled(over_time(self.shortcut, x_BTCHW))

    def _doubled(self, x_BTCHW: Tensor) -> Tensor:
        if not self.doubles:
            return x_BTCHW
        return enlarge(x_BTCHW.flatten(0, 1)).unflatten(0, x_BTCHW.shape[:2])


class Shown(Recomputed):
    """Adds the clip of the level below to what a block of some size makes."""

    def __init__(self, colours: int, channels: int) -> None:
        super().__init__()
        self.layer = Convolution(colours, channels, ONE, bias=False)

    def forward(self, x_BTCHW: Tensor, low_BtCHW: Tensor) -> Tensor:
        """Return (B,T,C,H,W); T is a multiple of t, the rows of the clip one of H."""
        below, every = low_BtCHW.shape[1], low_BtCHW.shape[-1] // x_BTCHW.shape[-1]
        # Mapped before it is repeated: the sum is the same.
        told = over_time(self.layer, low_BtCHW[..., ::every, ::every])[:, :, None]
        return (x_BTCHW.unflatten(1, (below, -1)) + told).flatten(1, 2)


class Unit(nn.Module):
    """What joins the steps, then two blocks of frames, each followed by the clip below.

    Here the first one changes the channels, and the second one the size.

    sides: rows before and after; below: rows of the clip below, 0 where there is none.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        sides: tuple[int, int],
        frames: int,
        condition: int,
        *,
        temporal: Temporal,
        colours: int,
        below: int,
    ) -> None:
        super().__init__()
        inputs, outputs = channels
        before, after = sides

        def block(width: int, last: int, *, joins: bool, doubles: bool) -> Block:
            return Block((width, last), frames, condition, joins=joins, doubles=doubles)

        self.gru = ConvGRU(inputs) if temporal == "gru" else None
        joining = [] if temporal == "gru" else [block(inputs, inputs, joins=True, doubles=False)]
        self.blocks = nn.ModuleList(
            [
                *joining,
                block(inputs, outputs, joins=False, doubles=False),
                block(outputs, outputs, joins=False, doubles=before != after),
            ]
        )
        places = ((inputs, before), (outputs, before), (outputs, after))
        self.shown = nn.ModuleList(Shown(colours, width) for width, side in places if side <= below)

    def forward(self, x_BTCHW: Tensor, told_BE: Tensor, low_BtCHW: Tensor | None) -> Tensor:
        """Return (B,T,C,H,W)."""
        shown = iter(self.shown)
        if self.gru is not None:
            x_BTCHW = _with(self.gru(x_BTCHW), low_BtCHW, next(shown, None))
        for block in self.blocks:
            x_BTCHW = _with(block(x_BTCHW, told_BE), low_BtCHW, next(shown, None))
        return x_BTCHW


def _with(x_BTCHW: Tensor, low_BtCHW: Tensor | None, shown: nn.Module | None) -> Tensor:
    if shown is None:
        return x_BTCHW
    found: Tensor = shown(x_BTCHW, low_BtCHW)
    return found


class Generator(nn.Module):
    """From noise, a class and the clip of the level below to a clip.

    frames: T in training, of which statistics of steps are kept; noise: Z; classes: how many, and
    class_width: what one is mapped to, both 0 without; below: as in `Unit`.
    """

    def __init__(
        self,
        settings: GeneratorSettings,
        size: int,
        frames: int,
        *,
        colours: int,
        noise: int,
        classes: int,
        class_width: int,
        below: int,
    ) -> None:
        super().__init__()
        condition, sides = noise + class_width, settings.sides(size)
        self.embedding = Classes(classes, class_width) if classes else None
        widths = (settings.widths[0], *settings.widths)
        self.begun = (widths[0], settings.grid, settings.grid)
        self.seed = Linear(condition, widths[0] * settings.grid**2)
        self.units = nn.ModuleList(
            Unit(
                (widths[place], widths[place + 1]),
                (sides[place], sides[place + 1]),
                frames,
                condition,
                temporal=settings.temporal,
                colours=colours,
                below=below,
            )
            for place in range(len(settings.widths))
        )
        self.norm = StepNorm(widths[-1], frames, condition)
        self.rendered = Convolution(widths[-1], colours, KERNEL)

    def forward(
        self, z_BZ: Tensor, label_B: Tensor | None, frames: int, low_BCtHW: Tensor | None
    ) -> Tensor:
        """Return clips (B,C,T,H,W) of `frames` steps from -1 to 1, of noise and classes.

        The clips below are (B,C,t,H,W), with T a multiple of t; None where there are none.
        """
        told_BE = z_BZ
        if self.embedding is not None:
            assert label_B is not None
            told_BE = torch.cat([z_BZ, self.embedding(label_B)], dim=1)
        low_BtCHW = None if low_BCtHW is None else low_BCtHW.transpose(1, 2)
        begun_BCHW = self.seed(told_BE).unflatten(1, self.begun)
        x_BTCHW = begun_BCHW[:, None].expand(-1, frames, -1, -1, -1)
        for unit in self.units:
            x_BTCHW = unit(x_BTCHW, told_BE, low_BtCHW)
        return over_time(self.rendered, self.norm(x_BTCHW, told_BE).relu()).tanh().transpose(1, 2)
