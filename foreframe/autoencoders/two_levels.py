"""What autoencoders with two levels of codes have in common: the top first, the bottom below it.

The bottom may be given what the top's codes say, so that it need not say it again (Razavi 2019,
3.1); one decoder takes both. A kind makes the networks. Shapes: B batch, C colour channels, D code
dimension, T time, H height, W width; _b and _t mark tensors of the bottom and the top level.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from foreframe.autoencoders import AutoencoderSettings, Grid, Quantised
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.index_noise import IndexNoise
from foreframe.networks.quantizer import Averages, Quantized, Quantizer
from foreframe.randomness import Numbers

TOP, BOTTOM = "top", "bottom"
# Ids are stored as int16.
LARGEST_CODEBOOK = 1 << 15

Size = Annotated[int, Field(ge=1)]
CodebookSize = Annotated[int, Field(ge=1, le=LARGEST_CODEBOOK)]


class CodebookSettings(AutoencoderSettings):
    """How both codebooks begin and follow the encoder, and what an output commits to."""

    code_dim: Size
    codebook_init: Literal["uniform", "normal"]
    commitment: Annotated[float, Field(ge=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    ema_epsilon: Annotated[float, Field(gt=0)]
    ema_initial_count: Annotated[float, Field(ge=0)]
    restart_threshold: Annotated[float, Field(ge=0)]  # 0: no restart of dead codes
    index_noise: IndexNoise  # of both levels, in training

    def quantizer(self, size: int) -> Quantizer:
        """Return a quantiser of `size` codes."""
        averages = Averages(
            decay=self.ema_decay,
            epsilon=self.ema_epsilon,
            initial_count=self.ema_initial_count,
            init=self.codebook_init,
            restart_threshold=self.restart_threshold,
        )
        return Quantizer(size, self.code_dim, averages, self.index_noise)


class TwoLevels(Quantised):
    """Encoders, codebooks and decoder of two levels; a kind gives them in its constructor."""

    settings: CodebookSettings
    bottom_encoder: nn.Module
    top_encoder: nn.Module
    top_projection: nn.Module
    bottom_projection: nn.Module
    top_quantizer: Quantizer
    bottom_quantizer: Quantizer
    top_decoder: nn.Module | None  # to the bottom's grid; None: the bottom does not see the top
    top_upsampling: nn.Module
    decoder: nn.Module

    def __init__(
        self, settings: CodebookSettings, given: Shape, codebook_sizes: Mapping[str, int]
    ) -> None:
        super().__init__()
        _check_shape(settings, given)
        self.settings = settings
        self.given = given
        self.levels = (TOP, BOTTOM)
        self.codebook_sizes = dict(codebook_sizes)

    def initialize(self, numbers: Numbers) -> None:
        """Draw weights and codebooks, on the CPU."""
        super().initialize(numbers)
        self.rescale()
        self.top_quantizer.start(numbers)
        self.bottom_quantizer.start(numbers)

    def rescale(self) -> None:
        """Change drawn weights where a kind has them begin otherwise."""

    def grids(self) -> dict[str, Grid]:
        """Return the (T, H, W) of each level's codes."""
        size = self.given
        return {
            level: (size.frames // step[0], size.height // step[1], size.width // step[2])
            for level, step in self.settings.strides().items()
        }

    def codebook(self, level: str) -> Tensor:
        """Return the vectors (K,D) of a level's codes."""
        quantizer = {TOP: self.top_quantizer, BOTTOM: self.bottom_quantizer}[level]
        return quantizer.codebook

    def encode(self, clips_BCTHW: Tensor) -> dict[str, Tensor]:
        """Return {level: ids (B,T,H,W) int64} on its grid, top first."""
        h_b, z_t = self._features(clips_BCTHW)
        top = self.top_quantizer.ids(z_t)
        z_b = self._project_bottom(h_b, self.top_quantizer.vectors(top))
        return {TOP: top, BOTTOM: self.bottom_quantizer.ids(z_b)}

    def decode(self, latents: Mapping[str, Tensor], drop: Collection[str] = ()) -> Tensor:
        """Return clips (B,C,T,H,W); dropping acts on vectors, the top's before its upsampling."""
        assert set(drop) <= set(self.levels), drop
        vectors = {
            TOP: self.top_quantizer.vectors(latents[TOP]),
            BOTTOM: self.bottom_quantizer.vectors(latents[BOTTOM]),
        }
        for level in drop:
            vectors[level] = torch.zeros_like(vectors[level])
        return self.decode_vectors(vectors[TOP], vectors[BOTTOM])

    def decode_vectors(self, top_BDTHW: Tensor, bottom_BDTHW: Tensor) -> Tensor:
        """Return clips (B,C,T,H,W) of quantised vectors."""
        both = torch.cat([self.top_upsampling(top_BDTHW), bottom_BDTHW], dim=1)
        clips_BCTHW: Tensor = self.decoder(both)
        return clips_BCTHW

    def loss_of(
        self, clips_BCTHW: Tensor, quantized: Mapping[str, Quantized], numbers: Numbers
    ) -> dict[str, Tensor]:
        """||x - x^||^2 + beta (||z_t - sg e_t||^2 + ||z_b - sg e_b||^2), each a mean."""
        top, bottom = quantized[TOP], quantized[BOTTOM]
        clips_hat = self.decode_vectors(top.vectors, self._shown(bottom.vectors, numbers))
        reconstruction = functional.mse_loss(clips_hat.float(), clips_BCTHW.float())
        commitment = top.commitment + bottom.commitment
        return {
            "loss": reconstruction + self.settings.commitment * commitment,
            "reconstruction": reconstruction,
            "commitment_top": top.commitment,
            "commitment_bottom": bottom.commitment,
            "codes_top": top.counts,
            "codes_bottom": bottom.counts,
        }

    def quantize(self, clips_BCTHW: Tensor, numbers: Numbers) -> dict[str, Quantized]:
        """Return what becomes of clips (B,C,T,H,W) on the top and the bottom level."""
        h_b, z_t = self._features(clips_BCTHW)
        top: Quantized = self.top_quantizer(z_t, numbers)
        z_b = self._project_bottom(h_b, top.vectors)
        return {TOP: top, BOTTOM: self.bottom_quantizer(z_b, numbers)}

    def _shown(self, bottom_BDTHW: Tensor, numbers: Numbers) -> Tensor:
        """Return what of the bottom's vectors the decoder is shown in a step."""
        return bottom_BDTHW

    def _features(self, clips_BCTHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bottom features h_b (before their projection) and the top's z_t."""
        h_b = self.bottom_encoder(clips_BCTHW)
        return h_b, self.top_projection(self.top_encoder(h_b))

    def _project_bottom(self, h_b: Tensor, top_BDTHW: Tensor) -> Tensor:
        if self.top_decoder is not None:
            h_b = torch.cat([self.top_decoder(top_BDTHW), h_b], dim=1)
        z_b: Tensor = self.bottom_projection(h_b)
        return z_b


def _check_shape(settings: CodebookSettings, given: Shape) -> None:
    names = ("frames", "height", "width")
    for name, step in zip(names, settings.strides()[TOP], strict=True):
        size = getattr(given, name)
        if size < step or size % step != 0:
            raise UserError(
                f"The autoencoder {settings.kind} takes clips whose {name} are a multiple of "
                f"{step}, not {size}. Change view.frames, or source.height and .width."
            )
