"""The two-level VQ-VAE of Xu 2022, 4.2: VQ-VAE-2 with every convolution in three dimensions.

The bottom codes keep T/2 x H/4 x W/4 positions, the top codes T/4 x H/8 x W/8; one decoder takes
both. Shapes: B batch, C colour channels, F features (width), D code dimension, T time, H height,
W width; _b and _t mark tensors of the bottom and the top level.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import AfterValidator, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from foreframe.autoencoders import AutoencoderSettings, Grid, Quantised, Stride
from foreframe.config.training import Training
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.index_noise import IndexNoise
from foreframe.networks.quantizer import Averages, Quantized, Quantizer
from foreframe.networks.residual import Kernel, ResidualStack
from foreframe.networks.upsampling import Upsampling
from foreframe.randomness import Numbers

# Video positions for one code position, (T, H, W), top first.
STRIDES = {"top": (4, 8, 8), "bottom": (2, 4, 4)}
# Ids are stored as int16.
LARGEST_CODEBOOK = 1 << 15

Size = Annotated[int, Field(ge=1)]
Odd = Annotated[int, Field(ge=1), AfterValidator(lambda side: _odd(side))]


class Settings(AutoencoderSettings):
    """The section of params.yaml; encoders and decoder share width and residual layers."""

    version: ClassVar[int] = 3

    kind: Literal["vqvae"]
    training: Training
    width: Size
    residual_width: Size
    residual_layers: Annotated[int, Field(ge=0)]
    residual_kernel: tuple[Odd, Odd, Odd]  # T, H, W of each layer's first convolution
    code_dim: Size
    codebook_size: Annotated[int, Field(ge=1, le=LARGEST_CODEBOOK)]
    upsampling_init: Literal["rescaled", "default"]  # default: torch's own; see `Upsampling`
    codebook_init: Literal["uniform", "normal"]
    commitment: Annotated[float, Field(ge=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    ema_epsilon: Annotated[float, Field(gt=0)]
    ema_initial_count: Annotated[float, Field(ge=0)]
    restart_threshold: Annotated[float, Field(ge=0)]  # 0: no restart of dead codes
    index_noise: IndexNoise  # of both levels, in training
    bottom_sees_top: bool  # as in VQ-VAE-2: the bottom encoder is given the decoded top
    bottom_dropout: Annotated[float, Field(ge=0, lt=1)]  # share of training clips without bottom

    @model_validator(mode="after")
    def _seen(self) -> Self:
        views.require(self.view, self.kind, of="frames", dequantise=False)
        return self

    def strides(self) -> dict[str, Stride]:
        """Return {"top": (4, 8, 8), "bottom": (2, 4, 4)}, in (frames, rows, columns)."""
        return STRIDES


def build(settings: Settings, given: Shape) -> "VQVAE":
    """Return the model of these settings, not yet initialized.

    Raises:
        UserError: clips of this shape are no multiple of what a code covers.
    """
    return VQVAE(settings, given)


class VQVAE(Quantised):
    """Encoders, codebooks and decoder; 3,198,339 weights at the thesis's widths."""

    def __init__(self, settings: Settings, given: Shape) -> None:
        super().__init__()
        _check_shape(given)
        self.settings: Settings = settings
        self.given = given
        self.levels = ("top", "bottom")
        self.codebook_sizes = dict.fromkeys(self.levels, settings.codebook_size)
        width, dimension = settings.width, settings.code_dim
        self.bottom_encoder = nn.Sequential(_shrink(given.channels, width), _body(settings))
        self.top_encoder = nn.Sequential(nn.Conv3d(width, width, 4, 2, 1), _body(settings))
        self.top_projection = nn.Conv3d(width, dimension, 1)
        self.bottom_projection = nn.Conv3d(_bottom_inputs(settings), dimension, 1)
        codebook = (settings.codebook_size, dimension, _averages(settings), settings.index_noise)
        self.top_quantizer, self.bottom_quantizer = Quantizer(*codebook), Quantizer(*codebook)
        self.top_decoder = _top_decoder(settings) if settings.bottom_sees_top else None
        self.top_upsampling = Upsampling(dimension, dimension, (2, 2, 2))
        self.decoder = nn.Sequential(
            nn.Conv3d(2 * dimension, width, 3, padding=1),
            _body(settings),
            Upsampling(width, given.channels, STRIDES["bottom"]),
        )

    def initialize(self, numbers: Numbers) -> None:
        """Draw weights and codebooks, on the CPU."""
        super().initialize(numbers)
        if self.settings.upsampling_init == "rescaled":
            for module in self.modules():
                if isinstance(module, Upsampling):
                    module.rescale()
        self.top_quantizer.start(numbers)
        self.bottom_quantizer.start(numbers)

    def grids(self) -> dict[str, Grid]:
        """Return the (T, H, W) of each level's codes."""
        size = self.given
        return {
            level: (size.frames // step[0], size.height // step[1], size.width // step[2])
            for level, step in STRIDES.items()
        }

    def codebook(self, level: str) -> Tensor:
        """Return the vectors (K,D) of a level's codes."""
        quantizer = {"top": self.top_quantizer, "bottom": self.bottom_quantizer}[level]
        return quantizer.codebook

    def encode(self, clips_BCTHW: Tensor) -> dict[str, Tensor]:
        """Return {"top": ids (B,T/4,H/8,W/8), "bottom": ids (B,T/2,H/4,W/4)}, int64."""
        h_b, z_t = self._features(clips_BCTHW)
        top = self.top_quantizer.ids(z_t)
        z_b = self._project_bottom(h_b, self.top_quantizer.vectors(top))
        return {"top": top, "bottom": self.bottom_quantizer.ids(z_b)}

    def decode(self, latents: Mapping[str, Tensor], drop: Collection[str] = ()) -> Tensor:
        """Return clips (B,C,T,H,W); dropping acts on vectors, the top's before its upsampling."""
        assert set(drop) <= set(self.levels), drop
        vectors = {
            "top": self.top_quantizer.vectors(latents["top"]),
            "bottom": self.bottom_quantizer.vectors(latents["bottom"]),
        }
        for level in drop:
            vectors[level] = torch.zeros_like(vectors[level])
        return self.decode_vectors(vectors["top"], vectors["bottom"])

    def decode_vectors(self, top_BDTHW: Tensor, bottom_BDTHW: Tensor) -> Tensor:
        """Return clips (B,C,T,H,W) of quantised vectors."""
        both = torch.cat([self.top_upsampling(top_BDTHW), bottom_BDTHW], dim=1)
        clips_BCTHW: Tensor = self.decoder(both)
        return clips_BCTHW

    def loss_of(
        self, clips_BCTHW: Tensor, quantized: Mapping[str, Quantized], numbers: Numbers
    ) -> dict[str, Tensor]:
        """||x - x^||^2 + beta (||z_t - sg e_t||^2 + ||z_b - sg e_b||^2), means (3.2.3, 5.1)."""
        top, bottom = quantized["top"], quantized["bottom"]
        clips_hat = self.decode_vectors(top.vectors, self._drop(bottom.vectors, numbers))
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

    def _drop(self, bottom_BDTHW: Tensor, numbers: Numbers) -> Tensor:
        """Zero the bottom of some training clips, so that the top must carry the picture too.

        Xu 2022 names this as further work: a bottom that always suffices leaves the top unused.
        """
        share = self.settings.bottom_dropout
        if not self.training or share == 0:
            return bottom_BDTHW
        kept_B = numbers.uniform((len(bottom_BDTHW),)) >= share
        return bottom_BDTHW * kept_B.to(bottom_BDTHW)[:, None, None, None, None]

    def quantize(self, clips_BCTHW: Tensor, numbers: Numbers) -> dict[str, Quantized]:
        """Return what becomes of clips (B,C,T,H,W) on the top and the bottom level."""
        h_b, z_t = self._features(clips_BCTHW)
        top: Quantized = self.top_quantizer(z_t, numbers)
        z_b = self._project_bottom(h_b, top.vectors)
        return {"top": top, "bottom": self.bottom_quantizer(z_b, numbers)}

    def _features(self, clips_BCTHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bottom features h_b (before their projection) and the top's z_t."""
        h_b = self.bottom_encoder(clips_BCTHW)
        return h_b, self.top_projection(self.top_encoder(h_b))

    def _project_bottom(self, h_b: Tensor, top_BDTHW: Tensor) -> Tensor:
        if self.top_decoder is not None:
            h_b = torch.cat([self.top_decoder(top_BDTHW), h_b], dim=1)
        z_b: Tensor = self.bottom_projection(h_b)
        return z_b


def _body(settings: Settings) -> ResidualStack:
    kernel: Kernel = settings.residual_kernel
    return ResidualStack(settings.width, settings.residual_width, settings.residual_layers, kernel)


def _shrink(inputs: int, outputs: int) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, (4, 8, 8), stride=(2, 4, 4), padding=(1, 2, 2))


def _top_decoder(settings: Settings) -> nn.Sequential:
    """Bring the quantised top to the bottom's grid (VQ-VAE-2: Razavi 2019, 3.1)."""
    width, dimension = settings.width, settings.code_dim
    return nn.Sequential(
        nn.Conv3d(dimension, width, 3, padding=1),
        _body(settings),
        Upsampling(width, dimension, (2, 2, 2)),
    )


def _bottom_inputs(settings: Settings) -> int:
    return settings.width + (settings.code_dim if settings.bottom_sees_top else 0)


def _averages(settings: Settings) -> Averages:
    return Averages(
        decay=settings.ema_decay,
        epsilon=settings.ema_epsilon,
        initial_count=settings.ema_initial_count,
        init=settings.codebook_init,
        restart_threshold=settings.restart_threshold,
    )


def _check_shape(given: Shape) -> None:
    names = ("frames", "height", "width")
    for name, step in zip(names, STRIDES["top"], strict=True):
        size = getattr(given, name)
        if size < step or size % step != 0:
            raise UserError(
                f"The autoencoder vqvae takes clips whose {name} are a multiple of {step}, "
                f"not {size}. Change view.frames, or source.height and .width."
            )


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError(f"a residual kernel's sides must be odd, not {side}. Use 1, 3 or 5.")
    return side
