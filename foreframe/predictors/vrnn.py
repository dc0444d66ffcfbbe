"""Kind `vrnn`: the convolutional VRNN of Glissov and Konradsen 2021 (Chung et al. 2015).

The latent goes into the deterministic chain, which prior and posterior see; they see no latent:

    h_t = LSTM(h_t-1, [phi(x_t-1); phi(z_t-1)]),  z_t ~ p(z_t | h_t),  x_t ~ p(x_t | z_t, h_t),
    q(z_t | h_t, x_t).

Latents of given frames are the prior's, and cost nothing (as in the thesis); z_0 is learned.
Shapes: as in `convolutional`.
"""

from typing import Literal

import torch
from torch import Tensor

from foreframe.networks.conv_lstm import ConvLSTM, Pair
from foreframe.networks.frame_vae import over_time
from foreframe.networks.gaussian import of_steps, stacked
from foreframe.networks.noise import Noise
from foreframe.predictors.convolutional import (
    POSTERIOR,
    PRIOR,
    Convolutional,
    ConvolutionalSettings,
    Inferred,
    State,
)
from foreframe.predictors.learned import Given
from foreframe.predictors.variational import LatentOptions


class Settings(ConvolutionalSettings):
    """The section of params.yaml."""

    kind: Literal["vrnn"]


def build(settings: Settings, given: Given) -> "VRNN":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames cannot be halved three times.
    """
    return VRNN(settings, given)


class VRNN(Convolutional):
    """89.8 million weights with the thesis's settings for colours."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        features, hidden = settings.features[-1], settings.hidden
        self.recurrence = ConvLSTM(features + settings.latent_features, hidden)
        self.prior = self._latent_network(hidden)
        self.posterior = self._latent_network(hidden + features)

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return what given frames tell: their features. The rest waits for latents."""
        features_NtFHW = over_time(self.features, x_NCtHW.transpose(1, 2))
        rows = len(x_NCtHW)
        return State(
            features_NtFHW[:, -1],
            self._first_memory(rows),
            self._first_latent(rows),
            features_NtFHW[:, :-1],
        )

    def start(self, seen: State, options: LatentOptions, noise: Noise) -> State:
        """Return the state of futures, whose latents of the given frames are the prior's."""
        memory, latent = self._warm(seen.memory, seen.latent, seen.given, options.scale, noise)
        return State(seen.features, memory, latent, seen.given[:, :0])

    def _follow(self, state: State, time: int, scale: float, noise: Noise) -> tuple[Pair, Tensor]:
        memory = self._remember(state.memory, state.features, state.latent)
        return memory, self._latent(memory[0], time, scale, noise)

    def _infer(self, features_BTFHW: Tensor, given: int, noise: Noise) -> Inferred:
        rows, before_BtFHW = len(features_BTFHW), features_BTFHW[:, : given - 1]
        memory, latent = self._first_memory(rows), self._first_latent(rows)
        memory, latent = self._warm(memory, latent, before_BtFHW, 1.0, noise)
        states, posteriors, drawn, latents = [], [], [], []
        for time in range(given, features_BTFHW.shape[1]):
            memory = self._remember(memory, features_BTFHW[:, time - 1], latent)
            posteriors.append(self.posterior(memory[0], features_BTFHW[:, time]))
            drawn.append(self._drawn(posteriors[-1], POSTERIOR, time, noise))
            latent = self.latent_features(drawn[-1])
            states.append(memory[0])
            latents.append(latent)
        h, z, phi = (torch.stack(each, dim=1) for each in (states, drawn, latents))
        prior, posterior = of_steps(self.prior, h), stacked(posteriors)
        ratio_BS = (prior.log_prob(z) - posterior.log_prob(z)).sum(dim=2)
        kl_BS = posterior.divergence(prior).sum(dim=2)
        return Inferred(h, phi, posterior, prior, kl_BS, ratio_BS)

    def _remember(self, memory: Pair, features_BFHW: Tensor, latent_BFHW: Tensor) -> Pair:
        """Return h_t and c_t, told of the frame before and its latent."""
        return self.recurrence(torch.cat([features_BFHW, latent_BFHW], dim=1), memory)

    def _latent(self, h_BFHW: Tensor, time: int, scale: float, noise: Noise) -> Tensor:
        """Return phi(z_t) of a z_t that the prior drew."""
        return self.latent_features(self._drawn(self.prior(h_BFHW), PRIOR, time, noise, scale))

    def _warm(
        self, memory: Pair, latent: Tensor, features_BtFHW: Tensor, scale: float, noise: Noise
    ) -> tuple[Pair, Tensor]:
        """Return memory and phi(z) of the last given frame, after those at the beginning."""
        for time, features_BFHW in enumerate(features_BtFHW.unbind(dim=1), start=1):
            memory = self._remember(memory, features_BFHW, latent)
            latent = self._latent(memory[0], time, scale, noise)
        return memory, latent
