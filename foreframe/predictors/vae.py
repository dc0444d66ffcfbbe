"""Kind `vae`: a variational autoencoder (Kingma and Welling 2014), ALI's baseline on points.

p(x|z) = N(G_x(z), deviation^2) in each value, q(z|x) = N(mu, sigma^2) of the encoder and p(z) =
N(0, I). What is minimised is the negative evidence lower bound, in nats of a picture or point,

    E_q[-log p(x|z)] + 1/2 sum_j (mu_j^2 + sigma_j^2 - 1 - log sigma_j^2)

(Mastropietro 2017, equation 3.7, with the signs that make it a bound), with one z = mu + sigma eps
of each.

Shapes: B rows; `x` as in `single_frames`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.training import MODEL
from foreframe.models import SingleLoss
from foreframe.networks.gaussian import Gaussian, total
from foreframe.networks.noise import Fresh
from foreframe.networks.pair_networks import EncoderSettings
from foreframe.predictors.learned import Given
from foreframe.predictors.single_frames import (
    SingleFrames,
    SingleFrameSettings,
    require_no_labels,
    require_players,
)
from foreframe.training.objective import Moment, Objective, Plain


class Settings(SingleFrameSettings):
    """The section of params.yaml; the one player of `training` is `model`."""

    kind: Literal["vae"]
    encoder: EncoderSettings
    likelihood_deviation: Annotated[float, Field(gt=0)]  # of p(x|z)

    @model_validator(mode="after")
    def _says_means_alone(self) -> Self:
        require_no_labels(self)
        require_players(self.training, self.kind, (MODEL,))
        if self.encoder.posterior != "gaussian":
            raise ValueError(
                f"encoder.posterior is {self.encoder.posterior}, which has no density. Set it to "
                "gaussian."
            )
        return self


class VAE(SingleFrames, SingleLoss):
    """Encoder and decoder; with ALI's layers for points 164,004 and 484,802 weights."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        """Build both nets.

        Raises:
            UserError: a chain does not fit the size of frames.
        """
        super().__init__(settings, given, settings.encoder)

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return the negative bound of a picture, and its parts for each value of it; scalars."""
        x, q = batch["x"], self.posterior(batch["x"], {})
        noise = Fresh(moment.numbers, len(x), x.device)
        mean = self.made(q.sample(noise.normal("infer", 0, self.latent_shape)), {})
        deviation = torch.full_like(mean, self.settings.likelihood_deviation)
        nll = -total(Gaussian(mean, deviation).log_prob(x)).mean()
        kl = total(q.divergence(Gaussian.standard(q.mean))).mean()
        values = x[0].numel()
        return {"loss": nll + kl, "nll": nll.detach() / values, "kl": kl.detach() / values}

    def objective(self) -> Objective[Any]:
        """Return the minimisation of `loss`, whose output begins as the mean picture."""
        return _Started(self)


class _Started(Plain[Any]):
    def __init__(self, model: VAE) -> None:
        super().__init__(model, model.loss)
        self._vae = model

    def start(self, batch: Mapping[str, Any], moment: Moment) -> None:
        self._vae.begin(batch["x"])


def build(settings: Settings, given: Given) -> VAE:
    """Return an untrained predictor.

    Raises:
        UserError: a chain does not fit the size of frames.
    """
    return VAE(settings, given)
