"""How G-SWM draws what it knows of objects, what that costs, and which objects it keeps.

Shapes: as in `object_world`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks.gaussian import Gaussian, total
from foreframe.networks.noise import Noise
from foreframe.networks.object_world import PLACED, Objects, Said

WHERE, DEPTH, WHAT, PRESENCE, DYNAMICS = "where", "depth", "what", "presence", "dynamics"

Costs = dict[str, Tensor]  # of what is drawn, by name: (B,) in nats


@dataclass(frozen=True)
class Drawing:
    """How latents are drawn: `scale` times their deviation, presence `soft` or not, by noise."""

    scale: float
    soft: bool
    noise: Noise | None

    def latent(self, of: Gaussian, name: str, time: int) -> Tensor:
        """Return latents (B,N,...)."""
        if self.scale == 0:
            return of.mean
        assert self.noise is not None
        return of.sample(self.noise.normal(name, time, of.mean.shape[1:]), self.scale)

    def presence(self, logits_BN1: Tensor, name: str, time: int) -> Tensor:
        """Return presences (B,N,1), 0 to 1."""
        if self.scale > 0:
            assert self.noise is not None
            # The difference of two Gumbel numbers is a logistic one.
            shape = (*logits_BN1.shape[1:], 2)
            yes, no = self.noise.gumbel(name, time, shape).unbind(dim=-1)
            logits_BN1 = logits_BN1 + self.scale * (yes - no)
        return logits_BN1.sigmoid() if self.soft else (logits_BN1 > 0).to(logits_BN1.dtype)


CERTAIN = Drawing(0.0, soft=False, noise=None)


def together(parts: list[Costs]) -> Costs:
    """Return the sums of costs by name, (B,)."""
    return {name: torch.stack([part[name] for part in parts]).sum(dim=0) for name in parts[0]}


def costs_of(
    said: Said, prior: Gaussian, own: Gaussian, moved: Gaussian, kept_BN1: Tensor
) -> Costs:
    """Return the divergences of attributes and dynamics from their priors, of what is present."""
    change_BNA = kept_BN1 * said.attributes.divergence(prior)
    return {
        WHERE: total(change_BNA[..., : PLACED - 1]),
        DEPTH: total(change_BNA[..., PLACED - 1]),
        WHAT: total(change_BNA[..., PLACED:]),
        DYNAMICS: total(kept_BN1 * own.divergence(moved)),
    }


def most_present(known: Objects, new: Objects) -> Objects:
    """Return as many objects as were known, the most present, in the order in which they came."""
    both = Objects(*(torch.cat(pair, dim=1) for pair in zip(known, new, strict=True)))
    presence_BX = both.presence[..., 0].detach()
    ranked = presence_BX.argsort(dim=1, descending=True, stable=True)
    places_BN = ranked[:, : known.presence.shape[1]].sort(dim=1).values
    # A product and no look-up, whose gradient would scatter.
    choice_BNX = functional.one_hot(places_BN, presence_BX.shape[1]).to(presence_BX.dtype)
    return Objects(*(choice_BNX @ each for each in both))
