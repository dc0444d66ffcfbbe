"""Autoencoders: clips to latents and back; a kind is a file of this package.

Shapes: B batch, C channels, T time, H height, W width.
"""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe.data.views import View
from foreframe.models import Model, ModelSettings, Role, Shape, SingleLoss
from foreframe.networks.quantizer import Quantized
from foreframe.randomness import Numbers
from foreframe.training.objective import Moment

PACKAGE = "foreframe.autoencoders"
SCHEMA = "autoencoder"

Stride = tuple[int, int, int]
Grid = tuple[int, int, int]
Batch = Mapping[str, Tensor]  # "x": what the model's view makes of clips, float (B,C,T,H,W)


class AutoencoderSettings(ModelSettings):
    """What every kind of autoencoder has in its section of params.yaml."""

    view: View

    @abstractmethod
    def strides(self) -> dict[str, Stride]:
        """Return {level: how many frames, rows and columns of video one code covers}, top first."""


class Autoencoder(Model):
    """Maps clips, as its view shows them, to one grid of codes for each level, and back."""

    settings: AutoencoderSettings
    given: Shape
    levels: tuple[str, ...]  # top first
    codebook_sizes: dict[str, int]

    @abstractmethod
    def grids(self) -> dict[str, Grid]:
        """Return the (T, H, W) of each level's codes, for clips of the given shape."""

    @abstractmethod
    def encode(self, clips_BCTHW: Tensor) -> dict[str, Tensor]:
        """Return {level: ids (B,T,H,W) int64}, top first, of clips (float)."""

    @abstractmethod
    def decode(self, latents: Mapping[str, Tensor], drop: Collection[str] = ()) -> Tensor:
        """Return clips (B,C,T,H,W), not clamped, of ids.

        A level in `drop` counts for nothing: zeros take the place of its vectors.
        """

    def reconstruct(self, clips_BCTHW: Tensor) -> Tensor:
        """Return clips of the same shape that went through the codes."""
        return self.decode(self.encode(clips_BCTHW))


class Quantised(Autoencoder, SingleLoss):
    """An autoencoder whose codes are the nearest vectors of codebooks.

    So it can be trained jointly with priors: their gradient reaches the encoder by the vectors.
    """

    @abstractmethod
    def quantize(self, clips_BCTHW: Tensor, numbers: Numbers) -> dict[str, Quantized]:
        """Return {level: what becomes of clips on it}, top first.

        In training mode the codebooks are updated, after their use.
        """

    @abstractmethod
    def codebook(self, level: str) -> Tensor:
        """Return the vectors (K,D) of a level's codes."""

    @abstractmethod
    def loss_of(
        self, clips_BCTHW: Tensor, quantized: Mapping[str, Quantized], numbers: Numbers
    ) -> dict[str, Tensor]:
        """Return the loss of clips that are quantised already; see `loss`."""

    def loss(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """Return `loss` and its parts, each a mean over the batch, and `codes_LEVEL` counts (K,).

        In training mode the codebooks are updated as well, with the moment's random numbers.
        """
        clips_BCTHW = batch["x"]
        quantized = self.quantize(clips_BCTHW, moment.numbers)
        return self.loss_of(clips_BCTHW, quantized, moment.numbers)


def operations(model: Autoencoder) -> int:
    """Return the floating-point operations of reconstructing one clip; a multiply-add is two."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build(model.settings, model.given).reconstruct(model.given.clip())
    return counter.get_total_flops()


ROLE: Role[Autoencoder] = Role(SCHEMA, PACKAGE, Shape)


def build(settings: AutoencoderSettings, shape: Shape) -> Autoencoder:
    """Return an autoencoder of the settings' kind for clips of a shape; see `Role.build`."""
    return ROLE.build(settings, shape)


def save(path: Path, model: Autoencoder) -> None:
    """Write weights, codebooks and settings to a safetensors file."""
    ROLE.save(path, model)


def load(path: Path) -> Autoencoder:
    """Return the autoencoder in a file, on the CPU and in eval mode; see `Role.load`."""
    return ROLE.load(path)
