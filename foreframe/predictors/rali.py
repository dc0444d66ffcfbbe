"""RALI (Mastropietro 2017, 6.2): adversarially learned inference of clips, by recurrent networks.

An encoder of convolutional LSTMs infers latents of a clip, a decoder of them makes a clip of
latents, and a critic that is built as the encoder is sees clips with their latents. With latents
`per_frame` (RALI-seq) there is one for each frame, inferred from the encoder's state after it; else
one for the clip, from its last state, and the decoder is told it at every step (`copied`), at the
first one (`first`), or by a multilayer perceptron that makes the inputs of all its steps at once
(`expanded`, the best of them).

Shapes: B rows, C channels of the view, T frames, H rows and W columns, h and w the lowest ones, F
features, I inputs of the decoder, Z numbers of a latent.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.config.base import Strict
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks.clip_critics import PairCritic
from foreframe.networks.clip_features import ClipVectors, Design, Level, Width
from foreframe.networks.frame_vae import over_time
from foreframe.networks.gaussian import wide
from foreframe.networks.noise import Noise
from foreframe.networks.recomputed import Layers, Recomputed
from foreframe.networks.strided_conv_lstm import Norm, StridedConvLSTM, Transposed
from foreframe.predictors.adversarial import (
    CRITIC,
    GENERATOR,
    AdversarialSettings,
    Generating,
    Labels,
    PairGame,
)
from foreframe.predictors.learned import Given
from foreframe.randomness import Shape

KERNEL, STRIDE, PADDING = 4, 2, 1  # of what halves and doubles

Widths = Annotated[tuple[Width, ...], Field(min_length=1)]


class Raising(Strict):
    """A level of the decoder, which doubles; the first one goes from a single place to h x w."""

    layer: Literal["convolution", "recurrent"]
    width: Width


class Expansion(Strict):
    """The perceptron that makes the inputs of all steps of one latent."""

    widths: Widths  # of its hidden layers
    inputs: Width  # of one step, 512


class Settings(AdversarialSettings):
    """The section of params.yaml; the players of `training` are `generator` and `critic`.

    The thesis gives no sizes. Those named are for 64 rows: encoder down to 4, decoder from there.
    """

    kind: Literal["rali"]
    latents: Literal["per_frame", "copied", "first", "expanded"]
    latent_dim: Width  # Z, 128
    expansion: Expansion | None  # of `expanded`
    encoder: Annotated[tuple[Level, ...], Field(min_length=1)]  # 64, 128, recurrent 256, 256
    features: Width  # of the recurrent layer that sees the lowest level as a whole, 512
    decoder: Annotated[tuple[Raising, ...], Field(min_length=1)]  # recurrent 256, 256, r. 128, 64
    recurrent_norm: bool  # whether recurrent layers of encoder and decoder normalise over the batch
    latent_widths: Widths  # of the critic's layers for latents: 512, 512
    joint_widths: Widths  # of those for both: 1024, 1024

    @model_validator(mode="after")
    def _fits(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="unit", dequantise=False)
        if self.labels:
            raise ValueError("A predictor of the kind rali is given no labels. Set labels to [].")
        if len(self.decoder) != len(self.encoder):
            raise ValueError(
                f"decoder has {len(self.decoder)} levels and encoder {len(self.encoder)}, but one "
                "undoes the other. Give them equally many."
            )
        if (self.latents == "expanded") != (self.expansion is not None):
            raise ValueError(
                f"latents is {self.latents}, which "
                + ("needs an expansion." if self.latents == "expanded" else "uses no expansion.")
                + " Set expansion accordingly: to its widths and inputs, or to null."
            )
        if any(phase.frames is not None for phase in self.training.phases):
            raise ValueError(
                "A predictor of the kind rali makes clips of view.frames, and no shorter ones. Set "
                "frames of every phase to null."
            )
        return self


def build(settings: Settings, given: Given) -> "RALI":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames are not square, or cannot be halved for every level.
    """
    shape, step = given.shape, 2 ** len(settings.encoder)
    if shape.height != shape.width or shape.height % step:
        raise UserError(
            f"The predictor {settings.kind} takes square frames whose rows are a multiple of "
            f"{step}, not {shape.height} x {shape.width}. Change source.height and source.width, "
            "or the number of levels."
        )
    return RALI(settings, given)


class RALI(Generating):
    """Makes clips of latents, and infers latents of clips.

    50,174,595 weights of the sizes named, for 10 grey frames of 64 rows, `expanded` by one hidden
    layer of 512.
    """

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        shape = given.shape
        frame = (shape.channels, shape.height, shape.width)
        self.encoder = _Encoder(frame, settings)
        self.decoder = _Decoder(shape.channels, shape.height, settings)
        design = Design(kernel=KERNEL, normalized=False, recurrent_norm=False, pads_time=True)
        self.critic = PairCritic(
            ClipVectors(frame, settings.encoder, settings.features, design),
            torch.Size(self.latent_shape).numel(),
            settings.latent_widths,
            settings.joint_widths,
        )

    @property
    def latent_shape(self) -> Shape:
        """The shape of the latents of one clip: (T,Z) or (Z,)."""
        frames, latent_dim = self.settings.view.frames, self.settings.latent_dim
        return (frames, latent_dim) if self.settings.latents == "per_frame" else (latent_dim,)

    def objective(self) -> PairGame:
        """Return the game over clips and latents."""
        return PairGame(self)

    def players(self) -> Mapping[str, tuple[nn.Module, ...]]:
        """Return the modules of GENERATOR and of CRITIC."""
        return {GENERATOR: (self.encoder, self.decoder), CRITIC: (self.critic,)}

    def made(self, z: Tensor, labels: Labels) -> Tensor:
        """Return the clips (B,C,T,H,W) that have these latents (B,T,Z) or (B,Z)."""
        x_BCTHW: Tensor = self.decoder(z)
        return x_BCTHW

    def infer(self, x_BCTHW: Tensor, labels: Labels, noise: Noise) -> Tensor:
        """Return latents (B,T,Z) or (B,Z) of clips, drawn from N(mean, deviation^2)."""
        mean, log_deviation = wide(self.encoder(x_BCTHW)).chunk(2, dim=-1)
        return mean + log_deviation.exp() * noise.normal("posterior", 0, self.latent_shape)

    def judge(self, x_BCTHW: Tensor, z: Tensor, labels: Labels) -> Tensor:
        """Return logits (B,) of pairs being of a true clip and its inferred latents."""
        logits_B: Tensor = self.critic(x_BCTHW, z.flatten(1))
        return logits_B


class _Encoder(nn.Module):
    def __init__(self, frame: tuple[int, int, int], settings: Settings) -> None:
        super().__init__()
        self.of_frames = settings.latents == "per_frame"
        design = Design(
            kernel=KERNEL,
            normalized=True,
            recurrent_norm=settings.recurrent_norm,
            pads_time=True,
        )
        self.vectors = ClipVectors(frame, settings.encoder, settings.features, design)
        self.head = nn.Linear(settings.features, 2 * settings.latent_dim)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return mean and log deviation of latents, (B,T,2Z) or (B,2Z)."""
        vectors_BTF = self.vectors(x_BCTHW.transpose(1, 2))
        raw: Tensor = self.head(vectors_BTF if self.of_frames else vectors_BTF[:, -1])
        return raw


class _Decoder(nn.Module):
    def __init__(self, channels: int, rows: int, settings: Settings) -> None:
        super().__init__()
        self.latents, self.frames = settings.latents, settings.view.frames
        inputs = settings.latent_dim
        self.expansion = None
        if settings.expansion is not None:
            inputs = settings.expansion.inputs
            hidden = settings.expansion.widths
            self.expansion = _perceptron([settings.latent_dim, *hidden, self.frames * inputs])
        low = rows // STRIDE ** len(settings.decoder)
        shapes = [(low, 1, 0)] + [(KERNEL, STRIDE, PADDING)] * (len(settings.decoder) - 1)
        self.levels = nn.ModuleList()
        for place, (level, shape) in enumerate(zip(settings.decoder, shapes, strict=True)):
            if level.layer == "recurrent":
                inward, side = Transposed(inputs, level.width, *shape, 0), low * STRIDE**place
                normalized = settings.recurrent_norm
                cell = StridedConvLSTM(inward, (side, side), normalized=normalized)
                self.levels.append(cell)
            else:
                self.levels.append(_Raised(inputs, level.width, *shape))
            inputs = level.width
        self.rendered = nn.ConvTranspose2d(inputs, channels, KERNEL, STRIDE, PADDING)

    def forward(self, z: Tensor) -> Tensor:
        """Return clips (B,C,T,H,W)."""
        x_BTCHW = self._inputs(z)[..., None, None]
        for level in self.levels:
            if isinstance(level, StridedConvLSTM):
                x_BTCHW, _ = level(x_BTCHW, None)
            else:
                x_BTCHW = level(x_BTCHW)
        return over_time(self.rendered, x_BTCHW).sigmoid().transpose(1, 2)

    def _inputs(self, z: Tensor) -> Tensor:
        """Return what the decoder is told at each step, (B,T,I)."""
        if self.latents == "per_frame":
            return z
        if self.expansion is not None:
            inputs_BX: Tensor = self.expansion(z)
            return inputs_BX.unflatten(1, (self.frames, -1))
        if self.latents == "copied":
            return z[:, None].expand(-1, self.frames, -1)
        return torch.cat([z[:, None], z.new_zeros(len(z), self.frames - 1, z.shape[1])], dim=1)


class _Raised(Recomputed):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        convolution = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.layers = nn.Sequential(convolution, Norm(outputs), nn.ReLU())

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        return over_time(self.layers, x_BTCHW)


def _perceptron(widths: Sequence[int]) -> Layers:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return Layers(*layers[:-1])
