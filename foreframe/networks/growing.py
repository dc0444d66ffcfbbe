"""A generator of maps and its critic that grow from 4x4 on (Coppock 2020, Fig. 3.3).

Progressive growing (Karras et al. 2018) with a stack of residual layers at every scale, attention
at one of them, and a condition that every stack sees. The critic is the generator's mirror.

Shapes: B maps, Z numbers of noise, C channels of a scale, S its side, M channels of the condition,
s the side of the map it is made of. Scale i has side 4 * 2^i; all parts exist from the start.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.networks import adversarial
from foreframe.networks.adversarial import Linear, SelfAttention, activate, pixel_norm
from foreframe.networks.flows.precision import full_precision
from foreframe.networks.pooling import enlarge
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.snail import GatedResidualLayer

FIRST = 4  # side of the first scale
KERNEL = 3

Size = Annotated[int, Field(ge=1)]


class Condition(Strict):
    """Gated residual layers over the map of the level above."""

    channels: Size
    layers: Size


class Network(Strict):
    """Widths and depths, those of Coppock 2020, Table 6.3, beside.

    Generator and critic have them alike.
    """

    noise: Size  # Z; 512
    channels: Annotated[tuple[Size, ...], Field(min_length=1)]  # by scale; 512, 256, 64, 32 (, 16)
    residual_layers: Size  # of every scale; 4
    attention: Size | None  # at maps of which side; 32
    condition: Condition | None  # null: none is given; 4 layers
    equalised: bool
    deviation_group: (
        Annotated[int, Field(ge=2)] | None
    )  # maps whose spread the critic sees; null: it sees none

    @property
    def sides(self) -> tuple[int, ...]:
        """The side of the maps of each scale."""
        return tuple(FIRST * 2**scale for scale in range(len(self.channels)))

    @model_validator(mode="after")
    def _attends_to_a_scale(self) -> Self:
        if self.attention is not None and self.attention not in self.sides:
            raise ValueError(
                f"attention is {self.attention}, but the sides of the scales are "
                f"{', '.join(map(str, self.sides))}. Name one of them, or set it to null."
            )
        return self

    @property
    def attended(self) -> int | None:
        """The scale that has attention, if any."""
        return None if self.attention is None else self.sides.index(self.attention)


@dataclass(frozen=True)
class Growth:
    """How far a pair has grown: its scale, and the share (0 to 1) that the one before still has."""

    scale: int
    fade: float


def shrink(x_BCHW: Tensor, scale: int, growth: Growth) -> Tensor:
    """Return true maps of scale `scale` as a pair that has grown so far is to see them.

    They are averaged down to its side, (B,C,S,S), and blended with their own half as its are.
    """
    x_BCSS = functional.avg_pool2d(x_BCHW, 2 ** (scale - growth.scale))
    if growth.fade == 0:
        return x_BCSS
    return growth.fade * enlarge(functional.avg_pool2d(x_BCSS, 2)) + (1 - growth.fade) * x_BCSS


class Reader(Recomputed):
    """What is told about the map of the level above: x + GLU(conv(ELU(conv(ELU(x))))) by layer."""

    def __init__(self, condition: Condition, *, equalised: bool) -> None:
        super().__init__()

        def convolution(inputs: int, outputs: int) -> nn.Module:
            return adversarial.Convolution(inputs, outputs, KERNEL, equalised=equalised)

        width = condition.channels
        self.input = convolution(1, width)
        self.layers = nn.Sequential(
            *(GatedResidualLayer(width, convolution) for _ in range(condition.layers))
        )

    def forward(self, above_B1ss: Tensor) -> Tensor:
        """Return features (B,M,s,s)."""
        features: Tensor = self.layers(self.input(above_B1ss))
        return features


class Residual(nn.Module):
    """x + act(conv(x)); with a condition the convolution sees it beside x."""

    def __init__(self, inputs: int, channels: int, *, normalised: bool, equalised: bool) -> None:
        super().__init__()
        self.convolution = adversarial.Convolution(inputs, channels, KERNEL, equalised=equalised)
        self.normalised = normalised

    def forward(self, x_BCSS: Tensor, told_BCSS: Tensor | None) -> Tensor:
        """Return a tensor of the first input's shape."""
        seen = x_BCSS if told_BCSS is None else torch.cat([x_BCSS, told_BCSS], dim=1)
        made = activate(self.convolution(seen))
        return x_BCSS + (pixel_norm(made) if self.normalised else made)


class Stack(Recomputed):
    """The residual layers of a scale; the first of them sees the condition at the scale's size."""

    def __init__(self, network: Network, channels: int, *, normalised: bool) -> None:
        super().__init__()
        even, told = network.equalised, network.condition
        self.told = (
            None
            if told is None
            else adversarial.Convolution(told.channels, channels, 1, equalised=even)
        )
        first = channels if told is None else 2 * channels
        widths = [first, *[channels] * (network.residual_layers - 1)]
        self.layers = nn.ModuleList(
            Residual(width, channels, normalised=normalised, equalised=even) for width in widths
        )

    def forward(self, x_BCSS: Tensor, features_BMss: Tensor | None) -> Tensor:
        """Return a tensor of the first input's shape; `features` are a reader's, of any size."""
        told = None
        if self.told is not None:
            assert features_BMss is not None
            told = self.told(_resized(features_BMss, x_BCSS.shape[-1]))
        for layer in self.layers:
            x_BCSS = layer(x_BCSS, told)
            told = None
        return x_BCSS


def _resized(x_BMss: Tensor, side: int) -> Tensor:
    present = x_BMss.shape[-1]
    if side > present:
        return enlarge(x_BMss, side // present)
    return functional.avg_pool2d(x_BMss, present // side)


class Half(nn.Module):
    """What generator and critic have alike."""

    def __init__(self, network: Network, *, normalised: bool) -> None:
        super().__init__()
        self.network = network
        self.reader = self.attention = None
        if network.condition is not None:
            self.reader = Reader(network.condition, equalised=network.equalised)
        if network.attended is not None:
            width = network.channels[network.attended]
            self.attention = SelfAttention(width, equalised=network.equalised)
        self.stacks = nn.ModuleList(
            Stack(network, channels, normalised=normalised) for channels in network.channels
        )

    def attend(self, x_BCSS: Tensor, scale: int) -> Tensor:
        """Return a tensor of the input's shape, attended to at the one scale that is to have it."""
        if self.attention is None or scale != self.network.attended:
            return x_BCSS
        return self.attention(x_BCSS)

    def read(self, above_B1ss: Tensor | None) -> Tensor | None:
        """Return features (B,M,s,s) of the map of the level above, where one is given."""
        if self.reader is None:
            return None
        assert above_B1ss is not None
        return self.reader(above_B1ss)

    def _convolution(self, inputs: int, outputs: int, kernel: int) -> adversarial.Convolution:
        even = self.network.equalised
        return adversarial.Convolution(inputs, outputs, kernel, equalised=even)


class Generator(Half):
    """From noise to a map; every scale has a head of its own."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, normalised=True)
        first = network.channels[0]
        self.seed = Linear(network.noise, first * FIRST**2, equalised=network.equalised)
        self.start = self._convolution(first, first, KERNEL)
        self.wider = nn.ModuleList(
            self._convolution(low, high, KERNEL) for low, high in pairwise(network.channels)
        )
        self.heads = nn.ModuleList(self._convolution(width, 1, 1) for width in network.channels)

    def forward(self, noise_BZ: Tensor, above_B1ss: Tensor | None, growth: Growth) -> Tensor:
        """Return maps (B,1,S,S) of any values; `above` is of the level above, or None."""
        features = self.read(above_B1ss)
        h_BCSS = self.seed(pixel_norm(noise_BZ)).unflatten(1, (-1, FIRST, FIRST))
        h_BCSS = pixel_norm(activate(self.start(pixel_norm(activate(h_BCSS)))))
        before_BCSS = h_BCSS = self._stack(h_BCSS, features, 0)
        for scale in range(1, growth.scale + 1):
            before_BCSS = h_BCSS
            h_BCSS = pixel_norm(activate(self.wider[scale - 1](enlarge(h_BCSS))))
            h_BCSS = self._stack(h_BCSS, features, scale)
        map_B1SS: Tensor = self.heads[growth.scale](h_BCSS)
        if growth.fade == 0:
            return map_B1SS
        old_B1SS = enlarge(self.heads[growth.scale - 1](before_BCSS))
        return growth.fade * old_B1SS + (1 - growth.fade) * map_B1SS

    def _stack(self, h_BCSS: Tensor, features: Tensor | None, scale: int) -> Tensor:
        return self.attend(self.stacks[scale](h_BCSS, features), scale)


class Critic(Half):
    """From a map to a score, the higher the truer; not normalised, as its slope has a meaning."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, normalised=False)
        first = network.channels[0]
        self.tails = nn.ModuleList(self._convolution(1, width, 1) for width in network.channels)
        self.narrower = nn.ModuleList(
            self._convolution(high, low, KERNEL) for low, high in pairwise(network.channels)
        )
        spread = 0 if network.deviation_group is None else 1
        self.last = self._convolution(first + spread, first, KERNEL)
        self.judge = Linear(first * FIRST**2, first, equalised=network.equalised)
        self.score = Linear(first, 1, equalised=network.equalised)

    def forward(self, x_B1SS: Tensor, above_B1ss: Tensor | None, growth: Growth) -> Tensor:
        """Return scores (B,) of maps, given those of the level above or None."""
        features = self.read(above_B1ss)
        h_BCSS = activate(self.tails[growth.scale](x_B1SS))
        for scale in range(growth.scale, -1, -1):
            h_BCSS = self.stacks[scale](self.attend(h_BCSS, scale), features)
            if scale > 0:
                h_BCSS = functional.avg_pool2d(activate(self.narrower[scale - 1](h_BCSS)), 2)
            if scale == growth.scale and growth.fade > 0:
                old_BCSS = activate(self.tails[scale - 1](functional.avg_pool2d(x_B1SS, 2)))
                h_BCSS = growth.fade * old_BCSS + (1 - growth.fade) * h_BCSS
        if self.network.deviation_group is not None:
            h_BCSS = adversarial.with_deviation(h_BCSS, self.network.deviation_group)
        found_BF = activate(self.judge(activate(self.last(h_BCSS)).flatten(1)))
        # Scores differ little beside their size, too little for half a precision.
        with full_precision(found_BF.device):
            scores_B1: Tensor = self.score(found_BF.to(self.score.weight.dtype))
        return scores_B1.squeeze(1)
