"""VQ-VAE-2 of pictures (Razavi 2019, 3.1; Coppock 2020, table 6.2): each frame by itself.

The bottom codes keep H/4 x W/4 places of a frame, the top codes half as many on a side, or fewer
where the top is made tight. Every strided convolution is 4 x 4 with stride 2. The thesis counts 25
convolutions in the encoder and 12 in the decoder, which two residual layers for every halving give.
Shapes: B batch, C colour channels, D code dimension, T time, H height, W width.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from foreframe.autoencoders import Stride
from foreframe.autoencoders.two_levels import (
    BOTTOM,
    TOP,
    CodebookSettings,
    CodebookSize,
    Size,
    TwoLevels,
)
from foreframe.config.base import Strict
from foreframe.config.training import Training
from foreframe.data import views
from foreframe.models import Shape
from foreframe.networks.residual import ResidualStack

SHRINK = 4  # of the bottom's codes, in rows and columns
FRAME = (1, 3, 3)


class Both(Strict):
    """A number for each level."""

    top: Size
    bottom: Size


class CodebookSizes(Strict):
    """How many codes each level has."""

    top: CodebookSize
    bottom: CodebookSize


class PictureSettings(CodebookSettings):
    """Sizes of a model of pictures with two levels, shared by its encoders and decoders."""

    training: Training
    width: Annotated[int, Field(ge=2, multiple_of=2)]
    residual_width: Size
    residual_layers: Both  # the decoder's are the bottom's
    codebook_sizes: CodebookSizes
    top_halvings: Annotated[int, Field(ge=1, le=4)]  # from the bottom's grid to the top's

    @model_validator(mode="after")
    def _seen(self) -> Self:
        views.require(self.view, self.kind, of="frames", dequantise=False)
        return self

    def strides(self) -> dict[str, Stride]:
        """Return {"top": (1, 8, 8), "bottom": (1, 4, 4)}, or a wider top."""
        top = SHRINK * 2**self.top_halvings
        return {TOP: (1, top, top), BOTTOM: (1, SHRINK, SHRINK)}


class Settings(PictureSettings):
    """The section of params.yaml."""

    kind: Literal["vqvae2"]


def build(settings: Settings, given: Shape) -> "VQVAE2":
    """Return the model of these settings, not yet initialized.

    Raises:
        UserError: frames of this shape are no multiple of what a code covers.
    """
    return VQVAE2(settings, given)


class VQVAE2(TwoLevels):
    """Encoders, codebooks and decoder; 1,553,347 weights at the thesis's sizes."""

    settings: Settings

    def __init__(self, settings: Settings, given: Shape) -> None:
        sizes: Mapping[str, int] = settings.codebook_sizes.model_dump()
        super().__init__(settings, given, sizes)
        width, half, dimension = settings.width, settings.width // 2, settings.code_dim
        halvings, layers = settings.top_halvings, settings.residual_layers
        self.bottom_encoder = nn.Sequential(
            *halving(given.channels, half), *halving(half, width), same(width, width),
            body(settings, layers.bottom),
        )  # fmt: skip
        shrink = [part for _ in range(halvings - 1) for part in halving(half, half)]
        self.top_encoder = nn.Sequential(
            *halving(width, half), *shrink, same(half, width), body(settings, layers.top)
        )
        self.top_projection = nn.Conv3d(width, dimension, 1)
        self.bottom_projection = nn.Conv3d(width + dimension, dimension, 1)
        self.top_quantizer = settings.quantizer(settings.codebook_sizes.top)
        self.bottom_quantizer = settings.quantizer(settings.codebook_sizes.bottom)
        grow = [part for _ in range(halvings - 1) for part in (doubling(width, width), nn.ReLU())]
        self.top_decoder = nn.Sequential(
            same(dimension, width), body(settings, layers.top), *grow, doubling(width, dimension)
        )
        self.top_upsampling = nn.Sequential(
            *(doubling(dimension, dimension) for _ in range(halvings))
        )
        self.decoder = nn.Sequential(
            same(2 * dimension, width), body(settings, layers.bottom), doubling(width, half),
            nn.ReLU(), doubling(half, given.channels),
        )  # fmt: skip


def body(settings: PictureSettings, layers: int) -> ResidualStack:
    """Return residual layers of the width of a model."""
    return ResidualStack(settings.width, settings.residual_width, layers, FRAME)


def same(inputs: int, outputs: int) -> nn.Conv3d:
    """Return a convolution of 3 x 3 that keeps the sides."""
    return nn.Conv3d(inputs, outputs, FRAME, padding=(0, 1, 1))


def halving(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Return a strided convolution and its ReLU."""
    return nn.Conv3d(inputs, outputs, (1, 4, 4), (1, 2, 2), (0, 1, 1)), nn.ReLU()


def doubling(inputs: int, outputs: int) -> nn.ConvTranspose3d:
    """Return a strided transposed convolution."""
    return nn.ConvTranspose3d(inputs, outputs, (1, 4, 4), (1, 2, 2), (0, 1, 1))
