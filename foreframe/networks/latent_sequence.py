"""The networks of VRNN and SRNN on sequences of patches, all of them weight-normalised and plain.

Where the latent goes tells the two apart. In a VRNN (Chung et al. 2015) it feeds the hidden state,

    h_t = f(h_t-1, x_t-1, z_t-1),   p(z_t | h_t),         q(z_t | h_t, x_t),

in an SRNN (Fraccaro et al. 2016) it is a chain of its own beside the hidden states,

    h_t = f(h_t-1, x_t-1),          p(z_t | z_t-1, h_t),  q(z_t | z_t-1, h_t, x_t),

and both give p(x_t | z_t, h_t). With smoothing the posterior has a_t in place of what it is told
of patch t, and a_t goes backwards: g(a_t+1, h_t, x_t) in an SRNN, g(a_t+1, x_t) in a VRNN, whose
h_t is not there before z_t-1 is drawn.

Glissov and Konradsen 2021 (appendix A) have feed-forward networks of three layers throughout, f and
g among them: there are no gates. The patch before the first one is all zeros, and so is the last
a_t+1.

Shapes: B sequences, T patches, S points of a patch, Z latent, H hidden, F features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from foreframe.networks.gaussian import Gaussian
from foreframe.randomness import Numbers

# Maas et al. 2013.
SLOPE = 0.01

# Says which latent (B,Z) is taken at a time (from 0), given prior and posterior.
Choose = Callable[[int, Gaussian, Gaussian], Tensor]


def feed_forward(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Return three weight-normalised layers (Salimans and Kingma 2016), LeakyReLU between them."""
    return nn.Sequential(
        weight_norm(nn.Linear(inputs, width)),
        nn.LeakyReLU(SLOPE),
        weight_norm(nn.Linear(width, width)),
        nn.LeakyReLU(SLOPE),
        weight_norm(nn.Linear(width, outputs)),
    )


@dataclass(frozen=True)
class Design:
    """What is built.

    Attributes:
        graph: where the latent goes.
        smoothing: whether the posterior is told of later patches.
        residual_posterior: its mean is that of the prior plus what its network says (RES_q).
        learned_start: z and h before the first patch are learned, and begin as zeros; else zeros.
        points: S. latent: Z. hidden: H, of h and a. width: F, and of all inner layers.
    """

    graph: Literal["vrnn", "srnn"]
    smoothing: bool
    residual_posterior: bool
    learned_start: bool
    points: int
    latent: int
    hidden: int
    width: int


class State(NamedTuple):
    """What a sequence goes on from: its last patch (B,S), h (B,H) and z (B,Z)."""

    patch: Tensor
    hidden: Tensor
    latent: Tensor


class Scored(NamedTuple):
    """What becomes of true patches.

    Attributes:
        prior: of each z_t, (B,T,Z), given the latent that was taken before it.
        posterior: the same.
        latents: those that were taken, (B,T,Z).
        hidden: h_t, (B,T,H).
        patches: the distribution of each patch, (B,T,S).
    """

    prior: Gaussian
    posterior: Gaussian
    latents: Tensor
    hidden: Tensor
    patches: Gaussian


class LatentSequence(nn.Module):
    """A VRNN or SRNN, patch by patch and over true sequences."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        width, hidden, latent = design.width, design.hidden, design.latent
        self.chained = design.graph == "srnn"
        # Features of the latent before, in h or in the prior; what the posterior knows of a patch.
        of_state, of_prior = (0, width) if self.chained else (width, 0)
        evidence = hidden + width if self.chained else width
        self.patch_features = feed_forward(design.points, width, width)
        self.latent_features = feed_forward(latent, width, width)
        self.transition = feed_forward(hidden + width + of_state, width, hidden)
        self.prior = feed_forward(hidden + of_prior, width, 2 * latent)
        if design.smoothing:
            self.backward_transition = feed_forward(hidden + evidence, width, hidden)
            evidence = hidden
        other = width if self.chained else hidden
        self.posterior = feed_forward(evidence + other, width, 2 * latent)
        self.decoder = feed_forward(hidden + width, width, 2 * design.points)
        if design.learned_start:
            self.first_latent = nn.Parameter(torch.empty(latent))
            self.first_hidden = nn.Parameter(torch.empty(hidden))

    def draw(self, numbers: Numbers) -> None:
        """Let a learned start be what it is where none is learned."""
        for parameter in self.parameters(recurse=False):
            parameter.zero_()

    def start(self, like: Tensor) -> State:
        """Return the state before the first patch of sequences; `like` is (B,...)."""
        count, design = len(like), self.design
        hidden, latent = like.new_zeros(design.hidden), like.new_zeros(design.latent)
        if design.learned_start:
            hidden, latent = self.first_hidden, self.first_latent
        patch = like.new_zeros(count, design.points)
        return State(patch, hidden.expand(count, -1), latent.expand(count, -1))

    def step(self, state: State) -> tuple[Tensor, Gaussian]:
        """Return h_t (B,H) and the prior of z_t (B,Z) after a state."""
        of_latent = self.latent_features(state.latent)
        told = [] if self.chained else [of_latent]
        hidden = self._hidden(state.hidden, self.patch_features(state.patch), *told)
        return hidden, self._prior(hidden, of_latent)

    def decode(self, latent: Tensor, hidden: Tensor) -> Gaussian:
        """Return the distribution of patches (...,S), of z (...,Z) and h (...,H)."""
        features = torch.cat([self.latent_features(latent), hidden], dim=-1)
        return Gaussian.of(self.decoder(features), dim=-1)

    @parametrize.cached()  # weights are normalised once, not at every patch
    def score(self, x_BTS: Tensor, choose: Choose) -> Scored:
        """Return what becomes of the patches of sequences, with the latents that are chosen."""
        patch, hidden, latent = self.start(x_BTS)
        features = self.patch_features(torch.cat([patch[:, None], x_BTS], dim=1))
        before, now = features[:, :-1].unbind(1), features[:, 1:].unbind(1)
        # Of an SRNN all of them are known before any latent is.
        hiddens = self._hiddens(hidden, before) if self.chained else []
        priors, posteriors, latents = [], [], []
        for time, told in enumerate(self._evidence(now, hiddens)):
            of_latent = self.latent_features(latent)
            if not self.chained:
                hidden = self._hidden(hidden, before[time], of_latent)
                hiddens.append(hidden)
            priors.append(self._prior(hiddens[time], of_latent))
            posteriors.append(self._posterior(told, hiddens[time], of_latent, priors[time]))
            latent = choose(time, priors[time], posteriors[time])
            latents.append(latent)
        hidden_BTH, z_BTZ = torch.stack(hiddens, dim=1), torch.stack(latents, dim=1)
        patches = self.decode(z_BTZ, hidden_BTH)
        return Scored(_joined(priors), _joined(posteriors), z_BTZ, hidden_BTH, patches)

    @parametrize.cached()
    def own_chain(self, hidden_BTH: Tensor, choose: Callable[[int, Gaussian], Tensor]) -> Gaussian:
        """Return priors (B,T,Z) of an SRNN, each given a latent of the prior before it.

        `choose` says which latent is taken of the prior of a time.
        """
        latent, priors = self.start(hidden_BTH).latent, []
        for time, hidden in enumerate(hidden_BTH.unbind(1)):
            priors.append(self._prior(hidden, self.latent_features(latent)))
            latent = choose(time, priors[-1])
        return _joined(priors)

    def _hidden(self, hidden: Tensor, *features: Tensor) -> Tensor:
        found: Tensor = self.transition(torch.cat([hidden, *features], dim=1))
        return found

    def _hiddens(self, hidden: Tensor, before: Sequence[Tensor]) -> list[Tensor]:
        found = []
        for of_patch in before:
            hidden = self._hidden(hidden, of_patch)
            found.append(hidden)
        return found

    def _prior(self, hidden: Tensor, of_latent: Tensor) -> Gaussian:
        known = torch.cat([hidden, of_latent], dim=1) if self.chained else hidden
        return Gaussian.of(self.prior(known))

    def _posterior(
        self, told: Tensor, hidden: Tensor, of_latent: Tensor, prior: Gaussian
    ) -> Gaussian:
        other = of_latent if self.chained else hidden
        found = Gaussian.of(self.posterior(torch.cat([told, other], dim=1)))
        if self.design.residual_posterior:
            return Gaussian(prior.mean + found.mean, found.deviation)
        return found

    def _evidence(self, now: Sequence[Tensor], known: Sequence[Tensor]) -> list[Tensor]:
        """Return what the posterior is told of each patch, and with smoothing of later ones."""
        told = list(now)
        if self.chained:
            told = [torch.cat(both, dim=1) for both in zip(known, now, strict=True)]
        if not self.design.smoothing:
            return told
        backward, found = told[0].new_zeros(len(told[0]), self.design.hidden), []
        for each in reversed(told):
            backward = self.backward_transition(torch.cat([backward, each], dim=1))
            found.append(backward)
        return found[::-1]


def _joined(parts: Sequence[Gaussian]) -> Gaussian:
    """Return Gaussians (B,Z) of T times as one of (B,T,Z)."""
    mean = torch.stack([part.mean for part in parts], dim=1)
    return Gaussian(mean, torch.stack([part.deviation for part in parts], dim=1))
