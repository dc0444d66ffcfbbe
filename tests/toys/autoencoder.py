"""Blocks of 2 x 4 x 4 pixels become one code of their mean brightness; each code has a colour."""

from collections.abc import Collection, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.autoencoders import Autoencoder, AutoencoderSettings, Batch, Grid, Stride
from foreframe.models import Shape, SingleLoss
from foreframe.training.objective import Moment

STRIDE = (2, 4, 4)


class Settings(AutoencoderSettings):
    """How many codes there are."""

    kind: Literal["toy"]
    codes: int

    def strides(self) -> dict[str, Stride]:
        """Return the one level's."""
        return {"blocks": STRIDE}


class Blocks(Autoencoder, SingleLoss):
    """Learns the colour of each code."""

    settings: Settings

    def __init__(self, settings: Settings, given: Shape) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        self.levels, self.codebook_sizes = ("blocks",), {"blocks": settings.codes}
        self.colours = nn.Embedding(settings.codes, given.channels)

    def grids(self) -> dict[str, Grid]:
        """Return the blocks of a clip."""
        size, (t, h, w) = self.given, STRIDE
        return {"blocks": (size.frames // t, size.height // h, size.width // w)}

    def encode(self, clips_BCTHW: Tensor) -> dict[str, Tensor]:
        """Return codes of blocks of a view that is `unit`."""
        mean = functional.avg_pool3d(clips_BCTHW.mean(dim=1), STRIDE)
        codes = (mean * self.settings.codes).long()
        return {"blocks": codes.clamp(0, self.settings.codes - 1)}

    def decode(self, latents: Mapping[str, Tensor], drop: Collection[str] = ()) -> Tensor:
        """Return blocks of one colour."""
        clips = self.colours(latents["blocks"]).movedim(-1, 1) * ("blocks" not in drop)
        for axis, stride in enumerate(STRIDE, start=2):
            clips = clips.repeat_interleave(stride, dim=axis)
        return torch.as_tensor(clips)

    def loss(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """Return the squared error."""
        return {"loss": functional.mse_loss(self.reconstruct(batch["x"]), batch["x"])}


def build(settings: Settings, given: Shape) -> Blocks:
    """Return untrained blocks."""
    return Blocks(settings, given)
