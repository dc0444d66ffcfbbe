"""Levels that look at a clip, each halving its pictures: the one pattern of Mastropietro 2017.

A level is a convolution of each frame by itself, one of neighbouring frames too, or a convolutional
LSTM whose input map halves. Encoders normalise over the batch; critics normalise weights instead.

Shapes: B clips, T steps, C channels, H rows and W columns; T' <= T and H' < H after the levels; F
features of a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from foreframe.config.base import Strict
from foreframe.networks.adversarial import SLOPE
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.strided_conv_lstm import Strided, StridedConvLSTM

Width = Annotated[int, Field(ge=1)]
Size = tuple[int, int]

TIME = 3  # steps that a convolution of neighbouring frames sees
STRIDE, PADDING = 2, 1  # of every level


class Level(Strict):
    """One level: `volume` sees neighbouring frames, `recurrent` those before."""

    layer: Literal["convolution", "volume", "recurrent"]
    width: Width


@dataclass(frozen=True)
class Design:
    """What all levels have in common.

    Attributes:
        kernel: 3 halves odd sizes upwards, 4 halves even ones.
        normalized: whether there is a batch normalisation after each convolution.
        recurrent_norm: whether there are those of `StridedConvLSTM`.
        pads_time: whether a volume gives as many steps as it is given, or 2 fewer.
    """

    kernel: int
    normalized: bool
    recurrent_norm: bool
    pads_time: bool


class ClipFeatures(nn.Module):
    """Levels one after the other; LeakyReLU after convolutions.

    Attributes:
        shape: channels, rows and columns of what comes out.
    """

    def __init__(
        self, shape: tuple[int, int, int], levels: Sequence[Level], design: Design
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        channels, *size = shape
        for level in levels:
            size = [halved(side, design.kernel) for side in size]
            if level.layer == "recurrent":
                inward = Strided(channels, level.width, design.kernel, STRIDE, PADDING)
                layer: nn.Module = _Recurrent(inward, (size[0], size[1]), design)
            elif level.layer == "volume":
                layer = _Volumes(channels, level.width, design)
            else:
                layer = _Frames(channels, level.width, design)
            self.levels.append(layer)
            channels = level.width
        self.shape = (channels, size[0], size[1])

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return features (B,T',C',H',W')."""
        for level in self.levels:
            x_BTCHW = level(x_BTCHW)
        return x_BTCHW


class ClipVectors(nn.Module):
    """Levels, and a convolutional LSTM whose input map sees the whole of what they leave.

    Attributes:
        width: features F of a vector.
    """

    def __init__(
        self, shape: tuple[int, int, int], levels: Sequence[Level], features: int, design: Design
    ) -> None:
        super().__init__()
        self.features = ClipFeatures(shape, levels, design)
        channels, rows, _ = self.features.shape
        whole = Strided(channels, features, rows, 1, 0)
        self.top, self.width = _Recurrent(whole, (1, 1), design), features

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return vectors (B,T',F); the last one knows of all steps."""
        vectors_BTF11: Tensor = self.top(self.features(x_BTCHW))
        return vectors_BTF11.flatten(2)


def halved(side: int, kernel: int) -> int:
    """Return the rows or columns after a level."""
    return (side + 2 * PADDING - kernel) // STRIDE + 1


def weight_normalized(network: nn.Module) -> None:
    """Normalise all weights of a network but those from state to state (Salimans, Kingma 2016)."""
    parts = list(network.modules())
    recurrent = {id(part.between) for part in parts if isinstance(part, StridedConvLSTM)}
    for part in parts:
        if isinstance(part, nn.Conv2d | nn.Conv3d | nn.Linear) and id(part) not in recurrent:
            weight_norm(part)


class _Recurrent(nn.Module):
    def __init__(self, inward: Strided, size: Size, design: Design) -> None:
        super().__init__()
        self.cell = StridedConvLSTM(inward, size, normalized=design.recurrent_norm)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        shown_BTCHW: Tensor = self.cell(x_BTCHW, None)[0]
        return shown_BTCHW


class _Frames(Recomputed):
    def __init__(self, inputs: int, outputs: int, design: Design) -> None:
        super().__init__()
        bias = not design.normalized
        convolution = nn.Conv2d(inputs, outputs, design.kernel, STRIDE, PADDING, bias=bias)
        norm = [nn.BatchNorm2d(outputs)] if design.normalized else []
        self.layers = nn.Sequential(convolution, *norm, nn.LeakyReLU(SLOPE))

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        found: Tensor = self.layers(x_BTCHW.flatten(0, 1))
        return found.unflatten(0, x_BTCHW.shape[:2])


class _Volumes(Recomputed):
    def __init__(self, inputs: int, outputs: int, design: Design) -> None:
        super().__init__()
        kernel, stride = (TIME, design.kernel, design.kernel), (1, STRIDE, STRIDE)
        padding = (TIME // 2 if design.pads_time else 0, PADDING, PADDING)
        bias = not design.normalized
        convolution = nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=bias)
        norm = [nn.BatchNorm3d(outputs)] if design.normalized else []
        self.layers = nn.Sequential(convolution, *norm, nn.LeakyReLU(SLOPE))

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        found: Tensor = self.layers(x_BTCHW.transpose(1, 2))
        return found.transpose(1, 2)
