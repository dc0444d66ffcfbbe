"""How slots move in VIM (Castrejon 2022, 8.3): M modules propose, a slot takes one of them.

With candidates s^m = f_m(h) of a slot h, and its target x^ (a mean of the features of the next
frame that the slot attends to, in competition with the others),

    p(r) = softmax(Key(s^m) . Query_p(h)),  q(r) = softmax(Key(s^m) . Query_q(x^)),
    f = sum_m r_m s^m,  p(z) = MLP_p(f),  q(z) = MLP_q([f; x^]),  h' = LayerNorm(h + z + f).

The products are not divided by sqrt(d), as those of attention are: the first choices would be so
even that a slot takes a mean of all modules, which stay alike while the latent learns the move.

Shapes: B rows, K slots of D numbers, M modules, N features of F numbers.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.networks.gaussian import Gaussian, total, wide
from foreframe.networks.noise import Noise
from foreframe.networks.slot_attention import competing

Size = Annotated[int, Field(ge=1)]


class TransitionSettings(Strict):
    """Table 8.3. Other numbers of modules have the weights of five of 128 by other widths.

    Those are 641 for 1 module, 320 for 2, 160 for 4 and 91 for 7, as nearly as can be.
    """

    modules: Size  # M, 5
    trunk: Size  # what all modules see of a slot, 128
    module: Size  # hidden width of a module, 128
    latent: Size  # of the networks of z, 64
    key: Size  # of keys and queries and their hidden layers, 64


@dataclass(frozen=True)
class Drawing:
    """How modules and latents are drawn.

    Attributes:
        modules: `soft` draws shares of all modules (Gumbel-softmax of temperature 1), `hard` one of
            them, `likeliest` takes the one of the largest probability.
        scale: what a latent's deviation is multiplied by.
        noise: of what is drawn; None: nothing is.
    """

    modules: Literal["soft", "hard", "likeliest"]
    scale: float
    noise: Noise | None

    def shares(self, logits_BKM: Tensor, iteration: int, time: int) -> Tensor:
        """Return how much of each module a slot takes, (B,K,M), 1 in all."""
        if self.modules != "likeliest":
            assert self.noise is not None
            shape = logits_BKM.shape[1:]
            logits_BKM = logits_BKM + self.noise.gumbel(f"module {iteration}", time, shape)
            if self.modules == "soft":
                return logits_BKM.softmax(dim=2)
        return one_hot(logits_BKM.argmax(dim=2), logits_BKM)

    def latent(self, of: Gaussian, iteration: int, time: int) -> Tensor:
        """Return latents (B,K,D)."""
        if self.scale == 0:
            return of.mean
        assert self.noise is not None
        drawn = self.noise.normal(f"latent {iteration}", time, of.mean.shape[1:])
        return of.sample(drawn, self.scale)


CERTAIN = Drawing("likeliest", 0.0, None)


class Moved(NamedTuple):
    """Slots after an iteration, and what it cost.

    Attributes:
        slots: (B,K,D).
        shares: of modules, (B,K,M).
        kl_latent, kl_module: KL(q || p) of all slots together, (B,) in nats.
        log_ratio: (B,), log p(r, z) - log q(r, z) of what was drawn.
    """

    slots: Tensor
    shares: Tensor
    kl_latent: Tensor
    kl_module: Tensor
    log_ratio: Tensor


class ModularTransition(nn.Module):
    """Modules, keys and queries, latents, and the attention of slots to the next frame."""

    def __init__(self, dim: int, features: int, settings: TransitionSettings) -> None:
        super().__init__()
        trunk, width = settings.trunk, settings.module
        self.trunk = nn.Sequential(
            nn.Linear(dim, trunk), nn.ReLU(), nn.Linear(trunk, trunk), nn.LayerNorm(trunk)
        )
        self.proposals = nn.ModuleList(
            nn.Sequential(nn.Linear(trunk, width), nn.ReLU(), nn.Linear(width, dim), nn.ReLU())
            for _ in range(settings.modules)
        )
        self.key, self.prior_query, self.posterior_query = (
            _perceptron(dim, settings.key, settings.key) for _ in range(3)
        )
        self.prior_latent = _perceptron(dim, settings.latent, 2 * dim)
        self.posterior_latent = _perceptron(2 * dim, settings.latent, 2 * dim)
        self.norm = nn.LayerNorm(dim)
        self.target_query = nn.Linear(dim, dim, bias=False)
        self.target_key = nn.Linear(features, dim, bias=False)
        self.target_value = nn.Linear(features, dim, bias=False)

    def infer(
        self, slots_BKD: Tensor, features_BNF: Tensor, drawing: Drawing, iteration: int, time: int
    ) -> Moved:
        """Return slots that were told of the next frame, `time`, in one iteration."""
        target_BKD = self.target(slots_BKD, features_BNF)
        candidates_BKMD = self.candidates(slots_BKD)
        prior_BKM = self.logits(candidates_BKMD, self.prior_query(slots_BKD))
        posterior_BKM = self.logits(candidates_BKMD, self.posterior_query(target_BKD))
        shares_BKM = drawing.shares(posterior_BKM, iteration, time)
        chosen_BKD = chosen(candidates_BKMD, shares_BKM)
        prior = Gaussian.of(self.prior_latent(chosen_BKD), dim=2)
        told_BKE = torch.cat([chosen_BKD, target_BKD], dim=2)
        posterior = Gaussian.of(self.posterior_latent(told_BKE), dim=2)
        z_BKD = drawing.latent(posterior, iteration, time)
        log_q, log_p = (wide(each).log_softmax(dim=2) for each in (posterior_BKM, prior_BKM))
        ratio_BKM, ratio_BKD = log_p - log_q, prior.log_prob(z_BKD) - posterior.log_prob(z_BKD)
        return Moved(
            self.norm(slots_BKD + z_BKD + chosen_BKD),
            shares_BKM,
            total(posterior.divergence(prior)),
            total(-log_q.exp() * ratio_BKM),
            total(shares_BKM * ratio_BKM) + total(ratio_BKD),
        )

    def expect(
        self,
        slots_BKD: Tensor,
        drawing: Drawing,
        iteration: int,
        time: int,
        forced_BK: Tensor | None = None,
    ) -> Tensor:
        """Return slots (B,K,D) as the prior moves them.

        `forced_BK` names a module for each slot, -1 where the prior chooses.
        """
        candidates_BKMD = self.candidates(slots_BKD)
        logits_BKM = self.logits(candidates_BKMD, self.prior_query(slots_BKD))
        shares_BKM = drawing.shares(logits_BKM, iteration, time)
        if forced_BK is not None:
            forced_BKM = one_hot(forced_BK.clamp_min(0), shares_BKM)
            shares_BKM = torch.where(forced_BK[..., None] < 0, shares_BKM, forced_BKM)
        chosen_BKD = chosen(candidates_BKMD, shares_BKM)
        prior = Gaussian.of(self.prior_latent(chosen_BKD), dim=2)
        moved_BKD: Tensor = self.norm(
            slots_BKD + drawing.latent(prior, iteration, time) + chosen_BKD
        )
        return moved_BKD

    def candidates(self, slots_BKD: Tensor) -> Tensor:
        """Return what each module proposes for each slot, (B,K,M,D)."""
        trunk_BKE = self.trunk(slots_BKD)
        return torch.stack([module(trunk_BKE) for module in self.proposals], dim=2)

    def logits(self, candidates_BKMD: Tensor, queries_BKE: Tensor) -> Tensor:
        """Return the logits (B,K,M) of choosing each module's proposal."""
        keys_BKME = self.key(candidates_BKMD)
        logits_BKM: Tensor = (keys_BKME @ queries_BKE[..., None]).squeeze(-1)
        return logits_BKM

    def target(self, slots_BKD: Tensor, features_BNF: Tensor) -> Tensor:
        """Return what slots see of the next frame, (B,K,D)."""
        _, weights_BKN = competing(self.target_query(slots_BKD), self.target_key(features_BNF))
        seen_BKD: Tensor = weights_BKN @ self.target_value(features_BNF)
        return seen_BKD


def chosen(candidates_BKMD: Tensor, shares_BKM: Tensor) -> Tensor:
    """Return the candidates (B,K,D) by their shares."""
    return (shares_BKM[..., None] * candidates_BKMD).sum(dim=2)


def one_hot(places_BK: Tensor, like_BKM: Tensor) -> Tensor:
    """Return a 1 at each place and 0 elsewhere, (B,K,M), in the type of another tensor."""
    return functional.one_hot(places_BK, like_BKM.shape[2]).to(like_BKM.dtype)


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
