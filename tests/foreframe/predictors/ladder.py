"""An autoencoder of three levels without weights: each code is the mean of its block, coarsely.

Shapes: B clips, C = 3 colours, T frames, H rows, W columns.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from foreframe import priors
from foreframe.autoencoders import Autoencoder, AutoencoderSettings, Batch, Grid
from foreframe.data.normalization import Normalizer
from foreframe.models import Shape, SingleLoss
from foreframe.predictors import loading
from foreframe.predictors.latent import Latent
from foreframe.priors import Codes, Prior
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from tests.foreframe.data import seen
from tests.foreframe.priors import tiny
from tests.stages.evaluation_models import TRAINING

STRIDES = {"high": (4, 8, 8), "middle": (2, 4, 4), "low": (1, 2, 2)}
CODES = 6


class LadderSettings(AutoencoderSettings):
    def strides(self) -> dict[str, tuple[int, int, int]]:
        return STRIDES


class Ladder(Autoencoder, SingleLoss):
    def __init__(self) -> None:
        super().__init__()
        self.settings = LadderSettings(kind="ladder", view=seen.view(), training=TRAINING)
        self.given = Shape(channels=3, frames=8, height=16, width=16)
        self.levels = tuple(STRIDES)
        self.codebook_sizes = dict.fromkeys(STRIDES, CODES)

    def grids(self) -> dict[str, Grid]:
        size = self.given
        return {
            level: (size.frames // t, size.height // h, size.width // w)
            for level, (t, h, w) in STRIDES.items()
        }

    def encode(self, clips_BCTHW: Tensor) -> dict[str, Tensor]:
        grey_BTHW = clips_BCTHW.mean(dim=1)
        return {
            level: ((functional.avg_pool3d(grey_BTHW, stride) + 1) / 2 * CODES)
            .long()
            .clamp(0, CODES - 1)
            for level, stride in STRIDES.items()
        }

    def decode(self, latents: Mapping[str, Tensor], drop: Collection[str] = ()) -> Tensor:
        total = torch.zeros(())
        for level, codes in latents.items():
            grey_BTHW = (codes.float() / CODES * 2 - 1) * (level not in drop)
            for axis, stride in enumerate(STRIDES[level], start=1):
                grey_BTHW = grey_BTHW.repeat_interleave(stride, dim=axis)
            total = total + grey_BTHW / 3
        return total[:, None].expand(-1, 3, -1, -1, -1)

    def loss(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        return {"loss": functional.mse_loss(self.reconstruct(batch["x"]), batch["x"])}


def make(normalizer: Normalizer) -> Latent:
    """Return a predictor of clips of 8 frames of 16 x 16 pixels, with untrained priors."""
    model = Ladder()
    shapes = {level: Codes(grid, CODES) for level, grid in model.grids().items()}
    found: dict[str, Prior] = {}
    for level, above in (("low", "middle"), ("high", None), ("middle", "high")):
        make_settings = tiny.top_settings if above is None else tiny.bottom_settings
        settings = make_settings(level=level, condition_on=() if above is None else (above,))
        given = {} if above is None else {above: shapes[above]}
        prior = priors.build(settings, shapes[level], given)
        prior.initialize(generator(0, level))
        found[level] = prior.eval()
    loading.check(model, found)
    return Latent(model, loading.ordered(found), normalizer, torch.device("cpu"))
