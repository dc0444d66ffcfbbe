"""Two VQ-VAEs of pictures, coarse and fine, that know nothing of each other (Coppock 2020).

Each codes the whole picture for itself and has a decoder of its own, as the levels of Jukebox
(Dhariwal et al. 2020) do; the document names it as a trial. So the levels repeat what they share,
where those of a VQ-VAE-2 complement each other. Decoded is the finer one; with it dropped, the
coarser.
Shapes: B batch, C colour channels, D code dimension, T time, H height, W width.
"""

from collections.abc import Collection, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.autoencoders.two_levels import BOTTOM, TOP, TwoLevels
from foreframe.autoencoders.vqvae2 import PictureSettings, body, doubling, halving, same
from foreframe.models import Shape
from foreframe.networks.quantizer import Quantized
from foreframe.randomness import Numbers


class Settings(PictureSettings):
    """The section of params.yaml; sizes are those of a `vqvae2`."""

    kind: Literal["separate_tiers"]


def build(settings: Settings, given: Shape) -> "SeparateTiers":
    """Return the model of these settings, not yet initialized.

    Raises:
        UserError: frames of this shape are no multiple of what a code covers.
    """
    return SeparateTiers(settings, given)


class SeparateTiers(TwoLevels):
    """Two encoders of pictures, two codebooks, two decoders to pictures."""

    settings: Settings

    def __init__(self, settings: Settings, given: Shape) -> None:
        super().__init__(settings, given, settings.codebook_sizes.model_dump())
        dimension, layers = settings.code_dim, settings.residual_layers
        halvings = {BOTTOM: 2, TOP: 2 + settings.top_halvings}
        self.bottom_encoder = _encoder(settings, given.channels, halvings[BOTTOM], layers.bottom)
        self.top_encoder = _encoder(settings, given.channels, halvings[TOP], layers.top)
        self.top_projection = nn.Conv3d(settings.width, dimension, 1)
        self.bottom_projection = nn.Conv3d(settings.width, dimension, 1)
        self.top_quantizer = settings.quantizer(settings.codebook_sizes.top)
        self.bottom_quantizer = settings.quantizer(settings.codebook_sizes.bottom)
        self.top_decoder = None
        self.decoder = _decoder(settings, given.channels, halvings[BOTTOM], layers.bottom)
        self.coarse_decoder = _decoder(settings, given.channels, halvings[TOP], layers.top)

    def decode(self, latents: Mapping[str, Tensor], drop: Collection[str] = ()) -> Tensor:
        """Return clips (B,C,T,H,W): of the bottom alone, or where that is dropped of the top."""
        assert set(drop) <= set(self.levels), drop
        if BOTTOM not in drop:
            fine: Tensor = self.decoder(self.bottom_quantizer.vectors(latents[BOTTOM]))
            return fine
        vectors = self.top_quantizer.vectors(latents[TOP])
        coarse: Tensor = self.coarse_decoder(torch.zeros_like(vectors) if TOP in drop else vectors)
        return coarse

    def decode_vectors(self, top_BDTHW: Tensor, bottom_BDTHW: Tensor) -> Tensor:
        """Return clips (B,C,T,H,W) of the bottom's vectors."""
        clips_BCTHW: Tensor = self.decoder(bottom_BDTHW)
        return clips_BCTHW

    def loss_of(
        self, clips_BCTHW: Tensor, quantized: Mapping[str, Quantized], numbers: Numbers
    ) -> dict[str, Tensor]:
        """The losses of both tiers, added; `reconstruction` is the finer one's."""
        found = super().loss_of(clips_BCTHW, quantized, numbers)
        coarse = self.coarse_decoder(quantized[TOP].vectors).float()
        found["reconstruction_top"] = functional.mse_loss(coarse, clips_BCTHW.float())
        found["loss"] = found["loss"] + found["reconstruction_top"]
        return found

    def _features(self, clips_BCTHW: Tensor) -> tuple[Tensor, Tensor]:
        top: Tensor = self.top_projection(self.top_encoder(clips_BCTHW))
        return self.bottom_encoder(clips_BCTHW), top


def _encoder(settings: Settings, channels: int, halvings: int, layers: int) -> nn.Sequential:
    """Return an encoder to features of the model's width; all but the last halving have half."""
    width, half = settings.width, settings.width // 2
    inner = [part for _ in range(halvings - 2) for part in halving(half, half)]
    return nn.Sequential(
        *halving(channels, half), *inner, *halving(half, width), same(width, width),
        body(settings, layers),
    )  # fmt: skip


def _decoder(settings: Settings, channels: int, halvings: int, layers: int) -> nn.Sequential:
    """Return a decoder of quantised vectors to pictures."""
    width, half = settings.width, settings.width // 2
    inner = [part for _ in range(halvings - 2) for part in (doubling(half, half), nn.ReLU())]
    return nn.Sequential(
        same(settings.code_dim, width), body(settings, layers), doubling(width, half), nn.ReLU(),
        *inner, doubling(half, channels),
    )  # fmt: skip
