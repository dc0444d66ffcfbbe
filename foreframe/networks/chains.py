"""Chains of layers from a table in the settings, which know their sizes before anything runs.

A layer is a convolution, its normalisation and the chain's activation; a dense network is a chain
of 1x1 layers on maps of 1x1. Those of Dumoulin et al. 2017 have no padding. Weights begin as
N(0, deviation^2) and biases as 0; where a batch norm follows there is no bias.

Shapes: B rows, C channels, H rows and W columns of a map.
"""

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from foreframe.config.base import Strict
from foreframe.errors import UserError
from foreframe.networks.dropout import NONE, Dropout
from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers

# Of a batch in the running statistics: new = 0.95 old + 0.05 batch (Dumoulin et al. 2017, code).
RATE = 0.05

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Size = tuple[int, int]  # rows, columns


class Layer(Strict):
    """A row of the table. The paper prints kernel, stride and channels; its padding is 0."""

    kernel: Count
    stride: Count
    padding: Natural  # zeros on each side; of a transposed convolution: rows that are cut off
    channels: Count  # before maxout
    transposed: bool
    # batch: with a scale and a shift of each channel; weight: of the convolution, with a bias
    normalise: Literal["none", "batch", "weight"]
    drop: Share  # of its input, in training


class LeakyReLU(Strict):
    """max(x, slope x): 0.01 for house numbers and ImageNet, 0.02 for faces, 0 for points."""

    kind: Literal["leaky_relu"]
    slope: Share


class Maxout(Strict):
    """The largest of each `pieces` channels in a row, of which there are so many times fewer."""

    kind: Literal["maxout"]
    pieces: Annotated[int, Field(ge=2)]  # 2 for pictures, 5 for points


class ChainSettings(Strict):
    """Layers one after the other; none of them: what goes in comes out."""

    layers: tuple[Layer, ...]
    activation: Annotated[LeakyReLU | Maxout, Field(discriminator="kind")]  # after each layer
    pooled: bool  # the last maps become one place, their mean

    @model_validator(mode="after")
    def _channels_fall_into_pieces(self) -> Self:
        if isinstance(self.activation, Maxout):
            for number, layer in enumerate(self.layers, 1):
                if layer.channels % self.activation.pieces:
                    raise ValueError(
                        f"Layer {number} has {layer.channels} channels, which are no pieces of "
                        f"{self.activation.pieces}. Let activation.pieces divide them."
                    )
        return self

    def refuse_dropout(self, where: str) -> None:
        """Refuse layers that drop something of their input, in a network that has no masks.

        Raises:
            ValueError: one does.
        """
        if any(layer.drop for layer in self.layers):
            raise ValueError(
                f"A layer of {where} drops a share of its input, as only a critic's may. Set its "
                "drop to 0."
            )


class _Normal(nn.Module):
    """What a convolution of either way begins with: weights as N(0, deviation^2), a bias as 0."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, *shape: int, deviation: float, bias: bool = True) -> None:
        super().__init__(*shape, bias=bias)
        self.deviation = deviation

    def draw(self, numbers: Numbers) -> None:
        """Fill weight and bias."""
        plain = self.deviation * numbers.normal(self.weight.shape)
        if parametrize.is_parametrized(self):
            self.weight = plain  # its length and its direction are set
        else:
            self.weight.copy_(plain)
        if self.bias is not None:
            self.bias.zero_()


class Convolution(_Normal, nn.Conv2d):
    """A convolution, of inputs, outputs, kernel, stride and padding."""


class Transposed(_Normal, nn.ConvTranspose2d):
    """A transposed convolution, of the same."""


def weighted(layer: Convolution | Transposed) -> None:
    """Let each channel that a layer makes have a length of its own (Salimans and Kingma 2016)."""
    weight_norm(layer, dim=1 if isinstance(layer, Transposed) else 0)


class _Layer(nn.Module):
    def __init__(self, settings: Layer, inputs: int, deviation: float) -> None:
        super().__init__()
        kind = Transposed if settings.transposed else Convolution
        batch = settings.normalise == "batch"
        shape = (inputs, settings.channels, settings.kernel, settings.stride, settings.padding)
        self.drop = settings.drop
        self.convolution = kind(*shape, deviation=deviation, bias=not batch)
        self.norm = nn.BatchNorm2d(settings.channels, momentum=RATE) if batch else nn.Identity()
        if settings.normalise == "weight":
            weighted(self.convolution)

    def forward(self, x_BCHW: Tensor, dropout: Dropout) -> Tensor:
        """Return what is to be activated."""
        found: Tensor = self.norm(self.convolution(replace(dropout, share=self.drop)(x_BCHW)))
        return found


class Chain(Recomputed):
    """The layers of a table, from maps of `inputs` channels and a size to `outputs` and `end`.

    Attributes:
        sizes: rows and columns before the first layer, after each one, and of the mean if pooled.
        outputs: channels at the end.
    """

    def __init__(
        self, settings: ChainSettings, inputs: int, size: Size, deviation: float, where: str
    ) -> None:
        """Build the layers; `where` is what messages call the chain.

        Raises:
            UserError: a map is smaller than a kernel.
        """
        super().__init__()
        self.activation, self.pooled = settings.activation, settings.pooled
        pieces = self.activation.pieces if isinstance(self.activation, Maxout) else 1
        layers = []
        self.sizes, self.outputs, self.where = [size], inputs, where
        for layer in settings.layers:
            layers.append(_Layer(layer, self.outputs, deviation))
            self.outputs = layer.channels // pieces
            self.sizes.append(_after(layer, self.sizes[-1]))
            if min(self.end) < 1:
                raise UserError(
                    f"{where} comes to maps of {_named(self.sizes[-2])}, in which its kernel of "
                    f"{layer.kernel} x {layer.kernel} has no place. Remove or change layers, or "
                    "change source.height and source.width."
                )
        if self.pooled:
            self.sizes.append((1, 1))
        self.layers = nn.ModuleList(layers)

    @property
    def end(self) -> Size:
        """Rows and columns at the end."""
        return self.sizes[-1]

    def require_end(self, wanted: Size) -> None:
        """Refuse a chain that ends at another size.

        Raises:
            UserError: it does.
        """
        if self.end != wanted:
            by = ", ".join(_named(size) for size in self.sizes)
            raise UserError(
                f"{self.where} has maps of {by}, and must end at {_named(wanted)}. Change kernels "
                "and strides of its layers, or source.height and source.width."
            )

    def forward(self, x_BCHW: Tensor, dropout: Dropout = NONE) -> Tensor:
        """Return maps (B, outputs, *end); masks are drawn from the numbers of `dropout`.

        The shares that are dropped are the layers' own.
        """
        for layer in self.layers:
            x_BCHW = self._activated(layer(x_BCHW, dropout))
        return x_BCHW.mean(dim=(2, 3), keepdim=True) if self.pooled else x_BCHW

    def before_activation(self, x_BCHW: Tensor) -> list[Tensor]:
        """Return what each layer gives, normalised and not yet activated; nothing is dropped."""
        found: list[Tensor] = []
        for layer in self.layers:
            found.append(layer(self._activated(found[-1]) if found else x_BCHW, NONE))
        return found

    def _activated(self, x_BCHW: Tensor) -> Tensor:
        if isinstance(self.activation, LeakyReLU):
            return functional.leaky_relu(x_BCHW, self.activation.slope)
        # Not max, whose gradient torch scatters; of equal pieces each has its share of this one's.
        return x_BCHW.unflatten(1, (-1, self.activation.pieces)).amax(dim=2)


def _after(layer: Layer, size: Size) -> Size:
    """Return rows and columns after a layer: (n - k + 2p) / s + 1, transposed s (n - 1) + k - 2p.

    What is left over at the edge is not seen.
    """
    kernel, stride, cut = layer.kernel, layer.stride, 2 * layer.padding

    def along(side: int) -> int:
        if layer.transposed:
            return stride * (side - 1) + kernel - cut
        return (side - kernel + cut) // stride + 1

    return along(size[0]), along(size[1])


def _named(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
