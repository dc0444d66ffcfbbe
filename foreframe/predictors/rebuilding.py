"""Predictors that make a picture again of what they find in it: scenes, or slots.

They are given no frame and see the true one (`context_encoding: full_clip`), so what they predict
measures what they keep of it. A picture is made again by itself: how much of a scene is empty, and
with it how many rows a network has, depends on its scene alone.

Shapes: N pictures, B of a batch, C channels of the view, H rows, W columns, K slots.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from foreframe.config.training import MODEL, Plan
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.models import SingleLoss
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors import Context, Prediction
from foreframe.predictors.learned import LearnedPredictor, PredictorSettings
from foreframe.predictors.single_frames import require_players
from foreframe.randomness import Draws
from foreframe.training.objective import Moment


class RebuildingSettings(PredictorSettings):
    """What the settings of every kind here have; the one player of `training` is `model`."""

    training: Plan
    actions: Literal["none"]

    @model_validator(mode="after")
    def _sees_pictures_alone(self) -> Self:
        views.require(self.view, self.kind, of="frames", frames=1, scaling="unit", dequantise=False)
        require_players(self.training, self.kind, (MODEL,))
        if self.labels:
            raise ValueError(
                f"labels is {', '.join(self.labels)}, but {self.kind} is told nothing. Set it to "
                "[]."
            )
        return self


class Rebuilding(LearnedPredictor, SingleLoss):
    """Minimises the squared error of pictures, summed over their values.

    That is the likelihood of a Gaussian of deviation 1, less a constant (Castrejon 2022, 10.1).
    """

    settings: RebuildingSettings
    generates = True

    @abstractmethod
    def made(self, x_BCHW: Tensor, noise: Noise | None) -> Tensor:
        """Return pictures (B,C,H,W) again; `noise` is that of a training step."""

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return the squared error of a picture, and of a value of it; scalars."""
        x_BCHW = batch["x"][:, :, 0]
        noise = Fresh(moment.numbers, len(x_BCHW), x_BCHW.device) if self.training else None
        error = self.error(x_BCHW, noise)
        return {"loss": error, "mse": error.detach() / x_BCHW[0].numel()}

    def error(self, x_BCHW: Tensor, noise: Noise | None) -> Tensor:
        """Return the summed squared error of a picture, a mean over pictures, a scalar."""
        return summed(self.made(x_BCHW, noise) - x_BCHW)

    @torch.no_grad()
    def reconstruct(self, clips_NTHWC: Tensor, given: int) -> Prediction:
        """Return the frames of clips, each made again by itself."""
        frames_MHWC = clips_NTHWC.flatten(0, 1)
        again = [self.outward(self.made(self.pictures(each[None]), None)) for each in frames_MHWC]
        return Prediction(torch.cat(again).unflatten(0, clips_NTHWC.shape[:2]))

    def pictures(self, frames_BHWC: Tensor) -> Tensor:
        """Return 8-bit pictures as the view shows them, (B,C,H,W)."""
        device = next(self.parameters()).device
        return self.scaling.inward(frames_BHWC[:, None].to(device), None)[:, :, 0]

    def outward(self, x_BCHW: Tensor) -> Tensor:
        """Return pictures, uint8 (B,H,W,3) on the CPU."""
        return self.scaling.outward(x_BCHW[:, :, None])[:, 0].cpu()

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        if context.given or context.whole is None:
            raise UserError(
                f"{self.name} makes pictures again that it sees whole. Set the protocol's context "
                "to 0 and its context_encoding to full_clip."
            )
        found = self.reconstruct(context.whole[:, :horizon], 0)
        return Prediction(found.frames[context.places(draws)])


def summed(off_BCHW: Tensor) -> Tensor:
    """Return the sum of squares of a picture, a mean over pictures, a scalar."""
    return off_BCHW.square().flatten(1).sum(dim=1).mean()
