"""Autoencoders: video clips to code grids and back; a kind is a file of this package.

A kind's file defines `Settings`, its section of params.yaml, and `build`, which makes an
`Autoencoder` of them. Shapes: B batch, C colour channels, T time, H height, W width.
"""

import abc
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from foreframe import kinds
from foreframe.artefacts import tensors
from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.config.training import Training
from foreframe.errors import ArtefactError
from foreframe.networks.initialization import initialize

PACKAGE = "foreframe.autoencoders"
SCHEMA = "autoencoder"

Stride = tuple[int, int, int]


class AutoencoderSettings(Strict, abc.ABC):
    """What every kind of autoencoder has in its section of params.yaml."""

    kind: str
    training: Training

    @abc.abstractmethod
    def strides(self) -> dict[str, Stride]:
        """Return {level: how many frames, rows and columns of video one code covers}, top first."""


class Autoencoder(nn.Module, abc.ABC):
    """Maps normalized clips to one grid of codes for each level, and back."""

    settings: AutoencoderSettings
    levels: tuple[str, ...]  # top first
    codebook_sizes: dict[str, int]

    @abc.abstractmethod
    def grids(self, frames: int, height: int, width: int) -> dict[str, tuple[int, int, int]]:
        """Return the (T, H, W) of each level's codes for clips of frames x height x width pixels.

        Raises:
            UserError: clips of this size cannot be encoded; the message names the step sizes.
        """

    @abc.abstractmethod
    def encode(self, clips_BCTHW: Tensor) -> dict[str, Tensor]:
        """Return {level: ids (B,T,H,W) int64}, top first, of normalized clips (float)."""

    @abc.abstractmethod
    def decode(self, latents: Mapping[str, Tensor], drop: Collection[str] = ()) -> Tensor:
        """Return normalized clips (B,C,T,H,W), not clamped, of ids.

        A level in `drop` counts for nothing: zeros take the place of its vectors.
        """

    @abc.abstractmethod
    def loss(self, clips_BCTHW: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Return `loss` and its parts, each a mean over the batch, and `codes_LEVEL` counts (K,).

        In training mode the codebooks are updated as well, with random numbers of `generator`.
        """

    def initialize(self, generator: torch.Generator) -> None:
        """Draw all weights; a kind that has codebooks starts them too. The model is on the CPU."""
        initialize(self, generator)

    def reconstruct(self, clips_BCTHW: Tensor) -> Tensor:
        """Return clips of the same shape that went through the codes."""
        return self.decode(self.encode(clips_BCTHW))


def build(settings: AutoencoderSettings) -> Autoencoder:
    """Return an autoencoder of the settings' kind; `initialize` draws its weights."""
    model: Autoencoder = kinds.find(PACKAGE, settings.kind).build(settings)
    return model


def save(path: Path, model: Autoencoder) -> None:
    """Write weights, codebooks and settings to a safetensors file."""
    header = {"kind": model.settings.kind, "settings": model.settings.model_dump(mode="json")}
    tensors.write(path, model.state_dict(), SCHEMA, header)


def load(path: Path) -> Autoencoder:
    """Return the autoencoder in a file, on the CPU and in eval mode.

    Raises:
        ArtefactError: the file is missing, damaged, of another schema, or its tensors are not those
            of its settings.
    """
    values, header = tensors.read(path, SCHEMA)
    settings = kinds.find(PACKAGE, header["kind"]).Settings
    settings = reading.validate(settings, header["settings"], str(path))
    # Without memory for weights that are replaced at once, and without drawing random numbers.
    with torch.device("meta"):
        model = build(settings)
    try:
        model.load_state_dict(values, assign=True)
    except RuntimeError as error:
        raise ArtefactError(f"{path} does not fit its own settings: {error}") from None
    return model.eval()
