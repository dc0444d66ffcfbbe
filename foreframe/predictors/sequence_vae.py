"""Kind `sequence_vae`: a VRNN or SRNN of one-dimensional sequences, patch by patch.

The toy study of Glissov and Konradsen 2021 (appendix A): noisy sine waves of 30 patches of 100
points, table A.1 of 16 models. A patch is what the source calls a state, and is given as it is; its
points are independent Gaussians, whose means and deviations the decoder says. What is minimised is
the negative evidence lower bound of a whole sequence, in nats: no warm-up, no weight.

Shapes: B sequences, T patches, t given ones, h further ones, S points of a patch, Z latent.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.training import Plan
from foreframe.data.views import require
from foreframe.errors import UserError
from foreframe.models import SingleLoss
from foreframe.networks.latent_sequence import Design, LatentSequence, Scored, State
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors import Context, LikelihoodKind, LogWeights, Prediction
from foreframe.predictors.learned import Given, LearnedPredictor, PredictorSettings
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import Draws
from foreframe.training.objective import Moment

Count = Annotated[int, Field(ge=1)]


class Settings(PredictorSettings):
    """The published models have hidden 100 and latent 15; the width is not printed.

    `prior_chain` says after which z_t-1 the loss takes the prior of z_t in an SRNN: `posterior` is
    the one that the posterior drew, which makes the loss a bound; `self` is one that the prior drew
    itself, as the thesis had it without RES_q (its chapter 11), which makes it none.
    """

    kind: Literal["sequence_vae"]
    graph: Literal["vrnn", "srnn"]
    smoothing: bool
    residual_posterior: bool  # RES_q: the posterior's mean is the prior's and a learned difference
    learned_start: bool  # z and h before the first patch, instead of zeros
    prior_chain: Literal["posterior", "self"]
    hidden: Count
    latent: Count
    width: Count  # of features and inner layers
    training: Plan

    @model_validator(mode="after")
    def _is_given_states_alone(self) -> Self:
        require(self.view, self.kind, of="states")
        if self.actions != "none" or self.labels:
            raise ValueError(
                f"A predictor of the kind {self.kind} is given states alone. Set actions to none "
                "and labels to []."
            )
        return self

    @model_validator(mode="after")
    def _has_a_chain(self) -> Self:
        if self.prior_chain == "self" and (self.graph == "vrnn" or self.residual_posterior):
            raise ValueError(
                "prior_chain is self, but the priors of a VRNN, and of any model with "
                "residual_posterior, follow what the posterior drew. Set it to posterior."
            )
        return self


class SequenceVAE(LearnedPredictor, SingleLoss):
    """p(x_t | z_t, h_t) p(z_t | ...), with q(z_t | ..., x): see `LatentSequence`.

    It models numbers: `terms` and `extend` take them. It has no frames to predict.
    """

    options = LatentOptions
    likelihood_kind: ClassVar[LikelihoodKind] = "elbo"
    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        self.network = LatentSequence(
            Design(
                graph=settings.graph,
                smoothing=settings.smoothing,
                residual_posterior=settings.residual_posterior,
                learned_start=settings.learned_start,
                points=given.shape.channels,
                latent=settings.latent,
                hidden=settings.hidden,
                width=settings.width,
            )
        )

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return nats of a sequence, -log p + KL, the mean over a batch with `x` (B,T,S).

        Beside it -log p and the KL of the bound, for each point of a sequence, and the bound in
        nats of a sequence: it is the loss unless `prior_chain` is self.
        """
        x_BTS = batch["x"]
        terms = self.terms(x_BTS, Fresh(moment.numbers, len(x_BTS), x_BTS.device))
        nll, kl = terms.nll.sum(dim=1).mean(), terms.kl["latent"].sum(dim=1).mean()
        minimised = kl
        if "kl_self" in terms.about:
            minimised = terms.about["kl_self"].sum(dim=1).mean()
        return {
            "loss": nll + minimised,
            "bound": (nll + kl).detach(),
            "nll": nll.detach() / x_BTS[0].numel(),
            "kl_latent": kl.detach() / x_BTS[0].numel(),
        }

    def terms(self, x_BTS: Tensor, noise: Noise) -> Terms:
        """Return what all patches of sequences cost, from the first one on.

        With `prior_chain: self` `about` has `kl_self` (B,T), what the loss takes for the KL.
        """
        found = self._scored(x_BTS, noise)
        z_BTZ, prior, posterior = found.latents, found.prior, found.posterior
        about = {}
        if self.settings.prior_chain == "self":
            shape = z_BTZ.shape[2:]
            own = self.network.own_chain(
                found.hidden, lambda time, p: p.sample(noise.normal("prior", time, shape))
            )
            about["kl_self"] = posterior.divergence(own).sum(dim=2)
        return Terms(
            nll=-found.patches.log_prob(x_BTS).sum(dim=2),
            kl={"latent": posterior.divergence(prior).sum(dim=2)},
            log_ratio=(prior.log_prob(z_BTZ) - posterior.log_prob(z_BTZ)).sum(dim=2),
            about=about,
        )

    @torch.no_grad()
    def extend(self, x_BtS: Tensor, horizon: int, options: LatentOptions, noise: Noise) -> Tensor:
        """Return how sequences of t >= 0 patches go on, (B,h,S).

        Latents of the given patches are drawn from the posterior, later ones as `options` says.
        """
        state, given = self._after(x_BtS, noise), x_BtS.shape[1]
        patches = []
        for time in range(given, given + horizon):
            hidden, prior = self.network.step(state)
            drawn = noise.normal("latent", time, (self.settings.latent,))
            latent = prior.sample(drawn, options.scale)
            patch = self.network.decode(latent, hidden)
            x_BS = patch.mean
            if options.frames == "sample":
                x_BS = patch.sample(noise.normal("patch", time, x_BS.shape[1:]))
            patches.append(x_BS)
            state = State(x_BS, hidden, latent)
        return torch.stack(patches, dim=1)

    def _after(self, x_BtS: Tensor, noise: Noise) -> State:
        if not x_BtS.shape[1]:
            return self.network.start(x_BtS)
        found = self._scored(x_BtS, noise)
        return State(x_BtS[:, -1], found.hidden[:, -1], found.latents[:, -1])

    def _scored(self, x_BTS: Tensor, noise: Noise) -> Scored:
        """Return what becomes of sequences with latents from the posterior."""
        shape = (self.settings.latent,)
        return self.network.score(
            x_BTS,
            lambda time, _, posterior: posterior.sample(noise.normal("latent", time, shape)),
        )

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        self._refuse_frames()

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        """Refuse: frames are not what it models.

        Raises:
            UserError: always.
        """
        self._refuse_frames()

    def _refuse_frames(self) -> NoReturn:
        raise UserError(
            f"{self.name} models the states of a source and knows nothing of frames. Compare the "
            "records of its training, or evaluate a predictor of frames."
        )


def build(settings: Settings, given: Given) -> SequenceVAE:
    """Return an untrained predictor."""
    return SequenceVAE(settings, given)
