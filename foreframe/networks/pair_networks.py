"""Encoder, decoder and critics of single pictures and their latents (Dumoulin et al. 2017, app. A).

Each is a chain of layers and a last 1x1 convolution, which is neither normalised nor activated.
A point of S numbers is a picture of one pixel and S channels.

Shapes: B rows, C channels, H rows and W columns of a picture, Z latents, E values of an embedding
of labels, V values that they are made of, O outputs.
"""

from collections.abc import Mapping
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from foreframe.config.base import Strict
from foreframe.networks.chains import Chain, ChainSettings, Convolution, Share, weighted
from foreframe.networks.dropout import NONE, Dropout
from foreframe.randomness import Numbers

SMALLEST = 1e-7  # of a mean of pixels, and of what lacks to 1, whose log-odds are taken
POINT = (1, 1)  # rows and columns of what is one place
Picture = tuple[int, int, int]  # channels, rows, columns


class EncoderSettings(ChainSettings):
    """The encoder G_z, from a picture to one place; its last layer follows from the latents.

    `gaussian` says a mean and the logarithm of a deviation of each latent. `implicit` is given as
    many further channels of noise as there are latents, and says these themselves: a change of
    variable, as for points.
    """

    posterior: Literal["gaussian", "implicit"]

    @model_validator(mode="after")
    def _drops_nothing(self) -> Self:
        self.refuse_dropout("the encoder")
        return self


class DecoderSettings(ChainSettings):
    """The decoder G_x, from one place to the size of a picture; its last layer makes colours."""

    @model_validator(mode="after")
    def _drops_nothing(self) -> Self:
        self.refuse_dropout("the decoder")
        return self


class Head(Strict):
    """The last layer of a critic."""

    normalise: Literal["none", "weight"]
    drop: Share  # of its input, in training; 0.2 (CIFAR10 0.5)


class CriticSettings(Strict):
    """A critic of pictures alone."""

    pictures: ChainSettings
    head: Head


class PairCriticSettings(CriticSettings):
    """A critic of pairs: what it sees of both goes through the joint layers."""

    latents: ChainSettings
    joint: ChainSettings


class Encoder(nn.Module):
    """From pictures, and noise if it is implicit, to what it says of their latents."""

    def __init__(
        self, settings: EncoderSettings, shape: Picture, latents: int, told: int, deviation: float
    ) -> None:
        """Build it for pictures of a shape; `told` is E, 0 without labels.

        Raises:
            UserError: its chain does not lead from pictures of this size to one place.
        """
        super().__init__()
        implicit = settings.posterior == "implicit"
        inputs, size = shape[0] + implicit * latents, shape[1:]
        self.chain = Chain(settings, inputs, size, deviation, "The encoder")
        self.chain.require_end(POINT)
        outputs = latents if implicit else 2 * latents
        self.outward = Convolution(self.chain.outputs + told, outputs, 1, deviation=deviation)

    def forward(self, x_BCHW: Tensor, told_BE11: Tensor | None) -> Tensor:
        """Return (B,2Z): means, then logarithms of deviations; or latents (B,Z)."""
        found: Tensor = self.outward(_joined(self.chain(x_BCHW), told_BE11))
        return found.flatten(1)


class PixelBias(nn.Module):
    """A number of each channel and pixel that is added; 0 at first."""

    def __init__(self, shape: Picture) -> None:
        super().__init__()
        self.bias_CHW = nn.Parameter(torch.zeros(shape))

    def draw(self, numbers: Numbers) -> None:
        """Begin as nothing."""
        self.bias_CHW.zero_()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the sum."""
        return x_BCHW + self.bias_CHW

    @torch.no_grad()
    def begin(self, mean_CHW: Tensor) -> None:
        """Let it be the log-odds of a mean picture, whose values are from 0 to 1."""
        self.bias_CHW.copy_(mean_CHW.double().clamp(SMALLEST, 1 - SMALLEST).logit())


class Decoder(nn.Module):
    """From latents to what a picture's values, or their log-odds, are."""

    def __init__(
        self, settings: DecoderSettings, shape: Picture, latents: int, told: int, deviation: float
    ) -> None:
        """Build it for pictures of a shape.

        Raises:
            UserError: its chain does not lead from one place to this size.
        """
        super().__init__()
        self.chain = Chain(settings, latents + told, POINT, deviation, "The decoder")
        self.chain.require_end(shape[1:])
        self.outward = Convolution(self.chain.outputs, shape[0], 1, deviation=deviation, bias=False)
        self.bias = PixelBias(shape)

    def forward(self, z_BZ: Tensor, told_BE11: Tensor | None) -> Tensor:
        """Return (B,C,H,W)."""
        maps = self.chain(_joined(z_BZ[:, :, None, None], told_BE11))
        found: Tensor = self.bias(self.outward(maps))
        return found


class _Headed(nn.Module):
    def __init__(self, settings: Head, inputs: int, outputs: int, deviation: float) -> None:
        super().__init__()
        self.drop = settings.drop
        self.layer = Convolution(inputs, outputs, 1, deviation=deviation)
        if settings.normalise == "weight":
            weighted(self.layer)

    def forward(self, x_BCHW: Tensor, dropout: Dropout) -> Tensor:
        found: Tensor = self.layer(Dropout(self.drop, dropout.numbers)(x_BCHW))
        return found.flatten(1)


class Critic(nn.Module):
    """From pictures to a logit."""

    def __init__(self, settings: CriticSettings, shape: Picture, deviation: float) -> None:
        """Build it for pictures of a shape.

        Raises:
            UserError: its chain does not lead from this size to one place.
        """
        super().__init__()
        self.pictures = _of_pictures(settings, shape, deviation)
        self.head = _Headed(settings.head, self.pictures.outputs, 1, deviation)

    def forward(self, x_BCHW: Tensor, dropout: Dropout = NONE) -> Tensor:
        """Return (B,); masks are drawn from the numbers of `dropout`, shares are the layers'."""
        logits: Tensor = self.head(self.pictures(x_BCHW, dropout), dropout)
        return logits[:, 0]


class PairCritic(nn.Module):
    """From pictures and latents, and what is told of both, to `outputs` logits."""

    def __init__(
        self,
        settings: PairCriticSettings,
        shape: Picture,
        latents: int,
        told: int,
        outputs: int,
        deviation: float,
    ) -> None:
        """Build it for pictures of a shape.

        Raises:
            UserError: a chain does not lead to one place.
        """
        super().__init__()
        self.pictures = _of_pictures(settings, shape, deviation)
        self.latents = Chain(
            settings.latents, latents, POINT, deviation, "The critic's chain of latents"
        )
        both = self.pictures.outputs + self.latents.outputs + told
        self.joint = Chain(settings.joint, both, POINT, deviation, "The critic's joint chain")
        for chain in (self.latents, self.joint):
            chain.require_end(POINT)
        self.head = _Headed(settings.head, self.joint.outputs, outputs, deviation)

    def forward(
        self, x_BCHW: Tensor, z_BZ: Tensor, told_BE11: Tensor | None, dropout: Dropout = NONE
    ) -> Tensor:
        """Return (B,O); masks are drawn from the numbers of `dropout`, shares are the layers'."""
        seen = self.pictures(x_BCHW, dropout)
        known = self.latents(z_BZ[:, :, None, None], dropout)
        joined = self.joint(_joined(torch.cat([seen, known], dim=1), told_BE11), dropout)
        logits: Tensor = self.head(joined, dropout)
        return logits


class Embedding(nn.Module):
    """One linear map of all labels, which encoder, decoder and critic share.

    A label of two classes is a number, 0 or 1; one of more is as many, of which one is 1.
    """

    def __init__(self, classes: Mapping[str, int], width: int, deviation: float) -> None:
        super().__init__()
        self.classes = dict(classes)
        values = sum(1 if count == 2 else count for count in classes.values())
        self.linear = Convolution(values, width, 1, deviation=deviation)

    def forward(self, labels: Mapping[str, Tensor]) -> Tensor:
        """Return (B,E,1,1) of labels (B,) by name."""
        parts = []
        for name, count in self.classes.items():
            label_B1 = labels[name][:, None]
            classes = torch.arange(int(count == 2), count, device=label_B1.device)
            parts.append(label_B1 == classes)
        values_BV = torch.cat(parts, dim=1).to(self.linear.weight.dtype)
        found: Tensor = self.linear(values_BV[:, :, None, None])
        return found


def _of_pictures(settings: CriticSettings, shape: Picture, deviation: float) -> Chain:
    of = "The critic's chain of pictures"
    chain = Chain(settings.pictures, shape[0], shape[1:], deviation, of)
    chain.require_end(POINT)
    return chain


def _joined(maps_BC11: Tensor, told_BE11: Tensor | None) -> Tensor:
    return maps_BC11 if told_BE11 is None else torch.cat([maps_BC11, told_BE11], dim=1)
