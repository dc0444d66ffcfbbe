"""Kind `srnn`: the convolutional SRNN of Glissov and Konradsen 2021 (Fraccaro et al. 2016).

The deterministic chain h does not see the latents, so all its states come first:

    h_t = LSTM(h_t-1, phi(x_t-1)),  z_t ~ p(z_t | z_t-1, h_t),  x_t ~ p(x_t | z_t, h_t),
    q(z_t | z_t-1, a_t) with a_t = LSTM(a_t+1, [h_t; phi(x_t)]) going backward (smoothing), or
    q(z_t | z_t-1, h_t, x_t).

Latents of given frames are the prior's, and cost nothing (as in the thesis). Both chains begin at
one learned z_0. Shapes: as in `convolutional`; D steps of overshooting.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.networks.conv_lstm import ConvLSTM, Pair
from foreframe.networks.frame_vae import over_time
from foreframe.networks.latent_chain import LatentChain, Lookahead, PriorChain
from foreframe.networks.noise import Noise
from foreframe.predictors.convolutional import (
    Convolutional,
    ConvolutionalSettings,
    Inferred,
    State,
)
from foreframe.predictors.learned import Given
from foreframe.predictors.variational import LatentOptions


class Settings(ConvolutionalSettings):
    """The section of params.yaml; the thesis settled on smoothing, no residual and D = 1."""

    kind: Literal["srnn"]
    smoothing: bool
    residual_posterior: bool  # q's mean is that of p(z_t | z_t-1, h_t), z_t-1 of q, and a change
    overshooting: Annotated[int, Field(ge=1, le=3)]  # D (Hafner et al. 2019); 1 is none
    prior_chain: PriorChain


def build(settings: Settings, given: Given) -> "SRNN":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames cannot be halved three times.
    """
    return SRNN(settings, given)


class SRNN(Convolutional):
    """95,703,521 weights with the thesis's settings for colours."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        features, latent, hidden = settings.features[-1], settings.latent_features, settings.hidden
        self.recurrence = ConvLSTM(features, hidden)
        self.prior = self._latent_network(latent + hidden)
        known = hidden + features
        if settings.smoothing:
            self.lookahead = Lookahead(known, hidden, self.size)
            known = hidden
        self.posterior = self._latent_network(latent + known)
        self.chain = LatentChain(
            self.prior,
            self.posterior,
            self.latent_features,
            settings.residual_posterior,
            settings.overshooting,
            settings.prior_chain,
        )

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return what given frames tell: h of each but the first, and features of the last."""
        features_NtFHW = over_time(self.features, x_NCtHW.transpose(1, 2))
        h_NtFHW, memory = self._along(features_NtFHW[:, :-1])
        return State(features_NtFHW[:, -1], memory, self._first_latent(len(x_NCtHW)), h_NtFHW)

    def start(self, seen: State, options: LatentOptions, noise: Noise) -> State:
        """Return the state of futures, whose latents of the given frames are the prior's."""
        latent = self.chain.warm(seen.latent, seen.given, options.scale, noise)
        return seen._replace(latent=latent, given=seen.given[:, :0])

    def _follow(self, state: State, time: int, scale: float, noise: Noise) -> tuple[Pair, Tensor]:
        memory = self.recurrence(state.features, state.memory)
        return memory, self.chain.follow(state.latent, memory[0], time, scale, noise)

    def _infer(self, features_BTFHW: Tensor, given: int, noise: Noise) -> Inferred:
        h_BTFHW, _ = self._along(features_BTFHW[:, :-1])
        start = self._first_latent(len(features_BTFHW))
        start = self.chain.warm(start, h_BTFHW[:, : given - 1], 1.0, noise)
        h_BSFHW = h_BTFHW[:, given - 1 :]
        known_BSFHW = self._known(h_BSFHW, features_BTFHW[:, given:])
        found = self.chain.infer(start, h_BSFHW, known_BSFHW, given, noise)
        return Inferred(
            h_BSFHW, found.latents, found.posterior, found.prior, found.kl, found.log_ratio
        )

    def _along(self, features_BTFHW: Tensor) -> tuple[Tensor, Pair]:
        """Return h (B,T,F,H',W') after each frame's features, and the memory after the last."""
        memory = self._first_memory(len(features_BTFHW))
        states = []
        for features_BFHW in features_BTFHW.unbind(dim=1):
            memory = self.recurrence(features_BFHW, memory)
            states.append(memory[0])
        if not states:
            return memory[0][:, None][:, :0], memory
        return torch.stack(states, dim=1), memory

    def _known(self, h_BSFHW: Tensor, features_BSFHW: Tensor) -> Tensor:
        """Return what the posterior is told of each frame, beside the latent before it."""
        both_BSFHW = torch.cat([h_BSFHW, features_BSFHW], dim=2)
        found: Tensor = self.lookahead(both_BSFHW) if self.settings.smoothing else both_BSFHW
        return found
