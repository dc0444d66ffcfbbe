"""A chain of latents beside a deterministic one: z_t ~ p(z_t | z_t-1, h_t), where h sees no latent.

That of the SRNN (Fraccaro et al. 2016) and of the recurrent flow (Glissov and Konradsen 2021,
chapter 5), with what the latter varied: a posterior that says how it differs from the prior
(RES_q), latent overshooting, and what the KL compares q with. `posterior`: p(z_t | z_t-1, h_t) of
the z_t-1 that q drew, which is Fraccaro's bound. `self`: p of a z_t-1 that the prior's own chain
drew, as the authors trained; then loss and KL are no bound. The log ratio, and with it the
likelihood, is that of the generative model either way: p and q of the one trajectory that q drew.

Networks see an embedded latent phi(z). Shapes: B rows, S steps, t given frames, F H' W' of phi(z),
h and what is known of a frame, any others of a latent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from foreframe.networks import overshooting
from foreframe.networks.conv_lstm import ConvLSTM, LearnedState
from foreframe.networks.gaussian import Gaussian, of_steps, stacked
from foreframe.networks.noise import Noise

PriorChain = Literal["self", "posterior"]
Network = Callable[[Tensor, Tensor], Gaussian]
# What random numbers are for.
PRIOR, POSTERIOR, OVERSHOOTING = "prior", "posterior", "overshooting"


class Inferred(NamedTuple):
    """What was drawn of S true frames, and what it cost.

    Attributes:
        kl: (B,S), in nats, as the chain's rules say.
        log_ratio: (B,S), log p(z_t | z_t-1) - log q(z_t) of what q drew.
        posterior: q of each step, (B,S,...).
        prior: what it is compared with.
        latents: phi(z) of what q drew, (B,S,F,H',W').
    """

    kl: Tensor
    log_ratio: Tensor
    posterior: Gaussian
    prior: Gaussian
    latents: Tensor


@dataclass(frozen=True)
class LatentChain:
    """How a model's prior and posterior go on; both map (phi(z_t-1), what they are told) to z_t.

    Attributes:
        prior, posterior: networks of the model, as is `embed`, phi.
        residual_posterior: whether q's mean is that of p, and a change.
        depth: D of latent overshooting; 1 is none.
        compared: what the KL compares q with.
    """

    prior: Network
    posterior: Network
    embed: Callable[[Tensor], Tensor]
    residual_posterior: bool
    depth: int
    compared: PriorChain

    def follow(
        self, latent: Tensor, h_BFHW: Tensor, time: int, scale: float, noise: Noise
    ) -> Tensor:
        """Return phi(z_t) of a z_t that the prior drew after phi(z_t-1)."""
        return self.embed(self._drawn(self.prior(latent, h_BFHW), PRIOR, time, noise, scale))

    def warm(self, latent: Tensor, h_BtFHW: Tensor, scale: float, noise: Noise) -> Tensor:
        """Return phi(z) (B,F,H',W') of the last given frame, as the prior draws it after z_0."""
        for time, h_BFHW in enumerate(h_BtFHW.unbind(dim=1), start=1):
            latent = self.follow(latent, h_BFHW, time, scale, noise)
        return latent

    def infer(
        self, start: Tensor, h_BSFHW: Tensor, known_BSFHW: Tensor, given: int, noise: Noise
    ) -> Inferred:
        """Return what is drawn of the frames from `given` on; the posterior is told `known`."""
        posteriors, drawn, latents = [], [], [start]
        for step, known_BFHW in enumerate(known_BSFHW.unbind(dim=1)):
            posterior = self.posterior(latents[-1], known_BFHW)
            if self.residual_posterior:
                prior = self.prior(latents[-1], h_BSFHW[:, step])
                posterior = Gaussian(prior.mean + posterior.mean, posterior.deviation)
            posteriors.append(posterior)
            drawn.append(self._drawn(posterior, POSTERIOR, given + step, noise))
            latents.append(self.embed(drawn[-1]))
        posterior, z = stacked(posteriors), torch.stack(drawn, dim=1)
        path = of_steps(self.prior, torch.stack(latents[:-1], dim=1), h_BSFHW)
        compared = path
        if self.compared == "self":
            compared = self._own(start, h_BSFHW, given, noise)
        ratio = path.log_prob(z) - posterior.log_prob(z)
        kl_BS = overshooting.divergence(
            posterior, compared, path, self.depth, self._roll(h_BSFHW, given, noise)
        )
        after = torch.stack(latents[1:], dim=1)
        return Inferred(kl_BS, ratio.flatten(2).sum(dim=2), posterior, compared, after)

    def _drawn(
        self, latents: Gaussian, purpose: str, time: int, noise: Noise, scale: float = 1.0
    ) -> Tensor:
        return latents.sample(noise.normal(purpose, time, latents.mean.shape[1:]), scale)

    def _own(self, start: Tensor, h_BSFHW: Tensor, given: int, noise: Noise) -> Gaussian:
        """Return the priors along their own chain: those of a future that is told true frames."""
        latent, priors = start, []
        for time, h_BFHW in enumerate(h_BSFHW.unbind(dim=1), start=given):
            prior = self.prior(latent, h_BFHW)
            latent = self.embed(self._drawn(prior, PRIOR, time, noise))
            priors.append(prior)
        return stacked(priors)

    def _roll(
        self, h_BSFHW: Tensor, given: int, noise: Noise
    ) -> Callable[[Gaussian, int], Gaussian]:
        def rolled(priors: Gaussian, ahead: int) -> Gaussian:
            """Return the priors of the last steps, after draws of priors one step earlier."""
            shape, purpose = priors.mean.shape, f"{OVERSHOOTING} {ahead}"
            numbers = [noise.normal(purpose, given + step, shape[2:]) for step in range(shape[1])]
            z = priors.sample(torch.stack(numbers, dim=1)).flatten(0, 1)
            latents = self.embed(z).unflatten(0, shape[:2])
            return of_steps(self.prior, latents, h_BSFHW[:, ahead:])

        return rolled


class Lookahead(nn.Module):
    """The smoothing recurrence a_t = LSTM(a_t+1, [h_t; phi(x_t)]), backward from a learned end."""

    def __init__(self, inputs: int, hidden: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.recurrence = ConvLSTM(inputs, hidden)
        self.last_a = LearnedState(hidden, *size)
        self.last_c = LearnedState(hidden, *size)

    def forward(self, both_BSFHW: Tensor) -> Tensor:
        """Return a (B,S,F,H',W') of every frame."""
        rows = len(both_BSFHW)
        memory = (self.last_a(rows), self.last_c(rows))
        states: list[Tensor] = []
        for both_BFHW in reversed(both_BSFHW.unbind(dim=1)):
            memory = self.recurrence(both_BFHW, memory)
            states.append(memory[0])
        return torch.stack(states[::-1], dim=1)
