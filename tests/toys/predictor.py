"""Each pixel is Gaussian, whatever is given: a learned predictor with an exact likelihood."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from foreframe.config.sampling import Options
from foreframe.config.training import Training
from foreframe.models import SingleLoss
from foreframe.predictors import Context, LogWeights, Prediction
from foreframe.predictors.learned import Given, LearnedPredictor, PredictorSettings
from foreframe.randomness import Draws, Numbers
from foreframe.training.objective import Moment


class Settings(PredictorSettings):
    """Nothing of its own."""

    kind: Literal["toy"]
    training: Training


class Spread(Options):
    """How much of the deviation a future has."""

    share: float

    @property
    def random(self) -> bool:
        """Whether futures differ."""
        return self.share > 0


class Pixels(LearnedPredictor, SingleLoss):
    """Learns a mean and a deviation for each pixel and colour of a frame."""

    options = Spread
    generates = True
    likelihood_kind = "exact"

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        size = given.shape
        self.mean = nn.Parameter(torch.empty(size.channels, 1, size.height, size.width))
        self.scale = nn.Parameter(torch.empty_like(self.mean))  # logarithm of the deviation

    def draw(self, numbers: Numbers) -> None:
        """Begin in the middle of grey, unsure."""
        self.mean.copy_(numbers.uniform(self.mean.shape, 0.4, 0.6))
        self.scale.fill_(-1.0)

    def log_prob(self, x_BCTHW: Tensor) -> Tensor:
        """Return log p of each clip (B,)."""
        normal = torch.distributions.Normal(self.mean, self.scale.exp())
        return normal.log_prob(x_BCTHW).flatten(1).sum(dim=1)

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return nats for each number."""
        return {"loss": -self.log_prob(batch["x"]).mean() / batch["x"][0].numel()}

    @torch.no_grad()
    def _predict(self, context: Context, horizon: int, options: Spread, draws: Draws) -> Prediction:
        shape = (self.mean.shape[0], horizon, *self.mean.shape[2:])
        noise = draws.normal("pixels", (), shape).to(self.mean.device)
        x_BCTHW = self.mean + options.share * self.scale.exp() * noise
        return Prediction(self.scaling.outward(x_BCTHW).cpu())

    @torch.no_grad()
    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        """Return the density of the true futures."""
        x_NCTHW = self.scaling.inward(future_NhHWC.to(self.mean.device), None)
        return LogWeights(
            self.log_prob(x_NCTHW)[None].cpu(), x_NCTHW[0].numel(), self.scaling.grey_level
        )


def build(settings: Settings, given: Given) -> Pixels:
    """Return an untrained predictor."""
    return Pixels(settings, given)
