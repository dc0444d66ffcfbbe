"""Predictors that draw nothing: a clip has one future, and the loss is an error, no likelihood.

Shapes: B clips, C channels of the view, T frames, H rows, W columns.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator
from torch import Tensor

from foreframe.data import views
from foreframe.networks.noise import Fresh
from foreframe.predictors.recurrent import Recurrent, RecurrentSettings, State
from foreframe.training.objective import Moment


class DeterministicSettings(RecurrentSettings):
    """What the settings of such kinds have."""

    @model_validator(mode="after")
    def _sees_what_it_predicts(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="unit", dequantise=False)
        if self.view.frames < 2:
            raise ValueError(
                "view.frames is 1, but the first frame of a clip is only given. Raise it to 2 or "
                "more."
            )
        return self


class Deterministic(Recurrent[State]):
    """A learned predictor that goes frame by frame and draws nothing.

    `terms` have what a frame costs in the loss as their `nll`: an error, and no nats of a density.
    """

    settings: DeterministicSettings

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return scalars: the sum of a clip's errors, the mean over the batch, and a frame's."""
        x_BCTHW = batch["x"]
        noise = Fresh(moment.numbers, len(x_BCTHW), x_BCTHW.device)
        error_BS = self.terms(x_BCTHW, self.trained_from, noise).nll
        return {"loss": error_BS.sum(dim=1).mean(), "error": error_BS.detach().mean()}
