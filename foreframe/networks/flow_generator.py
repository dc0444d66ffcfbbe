"""The generator of Feature Flow (Mastropietro 2017, 6.3): a frame from the one before it.

    H = E1(x_t-1),  w = D1(z_t, E2(H)),  x^_t = D2(F[H, w])                               (6.2)
    x~_t = m x_t-1 + (1 - m) x^_t

E1 gives the grid of fixels, E2 tells what it shows in one vector, D1 says from that and from noise
where each fixel goes, F moves them and D2 renders what comes of it and, if asked for, a mask m of
what stays as it was. Right before F, on both sides, a convolutional LSTM knows of the frames
before. Everything halves by 3x3 convolutions, odd sizes upwards, and is doubled the same way back.

Shapes: B clips, T steps, C channels, H rows and W columns of a frame, h and w those of the grid, F
channels of a fixel, K = kappa^2, E values of a condition, Z of a latent.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.config.base import Strict
from foreframe.networks.adversarial import SLOPE
from foreframe.networks.clip_features import PADDING, STRIDE, Width, halved
from foreframe.networks.conv_lstm import KERNEL, Pair
from foreframe.networks.flow_field import flow
from foreframe.networks.frame_vae import over_time
from foreframe.networks.recomputed import Layers
from foreframe.networks.strided_conv_lstm import Norm, Strided, StridedConvLSTM

Widths = tuple[Width, ...]


class GeneratorSettings(Strict):
    """Widths of the four networks, and what there is besides them.

    The sizes named are those of frames of 120 rows, whose grid of 30 x 30 the thesis found best.
    """

    encoder: Annotated[Widths, Field(min_length=1)]  # E1 down to the grid: 64, 128
    condition: Widths  # E2 from there to a single place: 128, 256, 256, 512, 512; []: no E2
    flow: Annotated[Widths, Field(min_length=1)]  # D1 back to the grid: 512, 256, 256, 128, 64
    decoder: Annotated[Widths, Field(min_length=1)]  # D2 from there to the frame: 64, 32
    latents: Literal["each_frame", "each_clip", "none"]
    latent_dim: Annotated[int, Field(ge=0)]  # 100; 0 where there are none
    kappa: Annotated[int, Field(ge=1)]  # 3; a fixel goes at most kappa // 2 places far
    recurrent_features: bool  # the LSTM that ends E1
    recurrent_flow: bool  # the LSTM that ends D1
    recurrent_norm: bool  # whether both have batch normalisations
    masked: bool

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kappa % 2 == 0:
            raise ValueError(f"kappa is {self.kappa}, but a patch has a middle. Choose 3, 5, 7 ...")
        if len(self.decoder) != len(self.encoder):
            raise ValueError(
                f"decoder has {len(self.decoder)} widths and encoder {len(self.encoder)}, but one "
                "undoes the other. Give them equally many."
            )
        if self.condition and len(self.condition) != len(self.flow):
            raise ValueError(
                f"condition has {len(self.condition)} widths and flow {len(self.flow)}, but one "
                "undoes the other. Give them equally many, or condition none ([])."
            )
        if (self.latents == "none") != (self.latent_dim == 0):
            raise ValueError(
                f"latents is {self.latents} and latent_dim {self.latent_dim}. Set latent_dim to 0 "
                "for none, and else to more."
            )
        if not self.condition and self.latents == "none":
            raise ValueError(
                "With no condition and no latents nothing says where fixels go. Give one of them."
            )
        return self


def halvings(rows: int) -> int:
    """Return how often so many rows can be halved, odd ones upwards, until there is one."""
    return (rows - 1).bit_length()


class Seen(NamedTuple):
    """Frames (B,T,C,H,W), their fixels (B,T,F,h,w), and what these show (B,T,E); E may be 0."""

    frames: Tensor
    fixels: Tensor
    told: Tensor


class FlowGenerator(nn.Module):
    """E1, E2, D1, F and D2; each method takes some steps of B clips at once."""

    def __init__(self, channels: int, rows: int, settings: GeneratorSettings) -> None:
        super().__init__()
        self.settings, self.channels = settings, channels
        sizes = [rows]
        for _ in (*settings.encoder, *settings.flow):
            sizes.append(halved(sizes[-1], KERNEL))
        grid = len(settings.encoder)
        fixel, channel = settings.encoder[-1], settings.flow[-1]
        self.encoder = _down([channels, *settings.encoder])
        self.condition = _down([fixel, *settings.condition]) if settings.condition else None
        told = settings.latent_dim + (settings.condition[-1] if settings.condition else 0)
        self.flow = _up([told, *settings.flow], sizes[: grid - 1 : -1])
        self.field = nn.Conv2d(channel, settings.kappa**2, 1)
        self.decoder = _up([fixel, *settings.decoder], sizes[grid::-1])
        shown = channels + 1 if settings.masked else channels
        self.rendered = nn.Conv2d(settings.decoder[-1], shown, KERNEL, padding=KERNEL // 2)
        self.features_cell, self.flow_cell = (
            self._cell(width, sizes[grid]) if recurrent else None
            for width, recurrent in (
                (fixel, settings.recurrent_features),
                (channel, settings.recurrent_flow),
            )
        )

    def _cell(self, width: int, side: int) -> StridedConvLSTM:
        inward = Strided(width, width, KERNEL, 1, KERNEL // 2)
        return StridedConvLSTM(inward, (side, side), normalized=self.settings.recurrent_norm)

    def seen(self, x_BTCHW: Tensor, memory: Pair | None) -> tuple[Seen, Pair | None]:
        """Return what frames show, each with those before it, and E1's memory; None: begin."""
        features = over_time(self.encoder, x_BTCHW)
        fixels_BTFhw, memory = _recurred(self.features_cell, features, memory)
        if self.condition is None:
            told_BTE = fixels_BTFhw.new_zeros(*fixels_BTFhw.shape[:2], 0)
        else:
            told_BTE = over_time(self.condition, fixels_BTFhw).flatten(2)
        return Seen(x_BTCHW, fixels_BTFhw, told_BTE), memory

    def directed(
        self, told_BTE: Tensor, z_BTZ: Tensor, memory: Pair | None
    ) -> tuple[Tensor, Pair | None]:
        """Return logits (B,T,K,h,w) of where fixels go, and D1's memory; None: begin."""
        both_BTX = torch.cat([z_BTZ, told_BTE], dim=2)
        raised = over_time(self.flow, both_BTX[..., None, None])
        shown, memory = _recurred(self.flow_cell, raised, memory)
        return over_time(self.field, shown), memory

    def made(self, seen: Seen, z_BTZ: Tensor, memory: Pair | None) -> tuple[Tensor, Pair | None]:
        """Return the frames (B,T,C,H,W) after each of those that were seen, and D1's memory."""
        logits_BTKhw, memory = self.directed(seen.told, z_BTZ, memory)
        moved = flow(seen.fixels.flatten(0, 1), logits_BTKhw.flatten(0, 1))
        shown = self.rendered(self.decoder(moved)).unflatten(0, logits_BTKhw.shape[:2])
        hat_BTCHW = shown[:, :, : self.channels].tanh()
        if not self.settings.masked:
            return hat_BTCHW, memory
        mask_BT1HW = shown[:, :, self.channels :].sigmoid()
        return mask_BT1HW * seen.frames + (1 - mask_BT1HW) * hat_BTCHW, memory


def _recurred(
    cell: StridedConvLSTM | None, x_BTCHW: Tensor, memory: Pair | None
) -> tuple[Tensor, Pair | None]:
    if cell is None:
        return x_BTCHW, None
    found: tuple[Tensor, Pair] = cell(x_BTCHW, memory)
    return found


def _down(widths: Sequence[int]) -> Layers:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        convolution = nn.Conv2d(inputs, outputs, KERNEL, STRIDE, PADDING, bias=False)
        layers += [convolution, Norm(outputs), nn.LeakyReLU(SLOPE)]
    return Layers(*layers)


def _up(widths: Sequence[int], sizes: Sequence[int]) -> Layers:
    """Return transposed convolutions to each of the sizes but the first, their input's."""
    layers: list[nn.Module] = []
    for (inputs, outputs), (low, high) in zip(pairwise(widths), pairwise(sizes), strict=True):
        more = high - (STRIDE * (low - 1) - 2 * PADDING + KERNEL)  # 2n - 1 becomes 2n, or stays
        convolution = nn.ConvTranspose2d(inputs, outputs, KERNEL, STRIDE, PADDING, more, bias=False)
        layers += [convolution, Norm(outputs), nn.ReLU()]
    return Layers(*layers)
