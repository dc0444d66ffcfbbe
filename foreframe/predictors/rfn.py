"""Kind `rfn`: the recurrent flow network of Glissov and Konradsen 2021 (Gammelli, Rodrigues 2020).

    h_t = LSTM(h_t-1, ext(x_t-1)),  z_t ~ p(z_t | z_t-1, h_t),  x_t ~ Glow(. | h_t, z_t),
    q(z_t | z_t-1, a_t) with a_t = LSTM(a_t+1, [h_t; ext(x_t)]) going backward (smoothing), or
    q(z_t | z_t-1, h_t, x_t).

A conditional flow gives the density of a frame; a conditioning network brings h and z to the size
of each level, beside features of the last frame. Both z and the flow have a temperature.

Shapes: N clips, B rows, C channels of the view, T frames, t given ones, S scored ones, L levels of
the flow, F features of H' = H/2^L rows and W' = W/2^L columns, Z channels of a latent.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.config.sampling import Options
from foreframe.data import views
from foreframe.networks import flows, latent_chain, pyramids
from foreframe.networks.conv_lstm import ConvLSTM, LearnedState, Pair
from foreframe.networks.flows.base import BaseDistribution, Deviation
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.latent_chain import Inferred, LatentChain, Lookahead
from foreframe.networks.latent_maps import LatentMaps
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors import LikelihoodKind
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.variational import Variational, VariationalSettings
from foreframe.training.objective import Moment

Size = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(gt=0)]


class Settings(VariationalSettings):
    """The section of params.yaml; the thesis's final values, of its table A.2, beside."""

    kind: Literal["rfn"]
    levels: Size  # L, 4
    steps: Size  # K of each level, 10
    coupling_width: Size  # 256
    extractor: pyramids.Kind  # vgg
    widths: tuple[Annotated[int, Field(ge=2)], ...]  # of the extractor, by level; 32 to 256
    conditioning: tuple[Size, ...]  # channels of the flow's conditions, by level; 16, 32, 64, 128
    skips: Literal["none", "conditioning", "flow", "both"]  # of features of the last frame
    hidden: Size  # channels of h and of a; 256
    latent: Size  # Z; 3 for digits and people, 5 for the robot arm
    latent_network: tuple[Size, Size]  # layers before mean and deviation of a latent; 256, 64
    base_width: Annotated[int, Field(ge=2)]  # 512
    base_deviation: Deviation  # the thesis says softplus, its authors' code exp
    smoothing: bool  # yes
    residual_posterior: bool  # no; q's mean is that of p, and a change
    overshooting: Annotated[int, Field(ge=1, le=3)]  # 1 is none
    prior_chain: latent_chain.PriorChain  # self, as trained; posterior is the bound
    memory: flows.Memory  # what the flow keeps for its gradient

    @model_validator(mode="after")
    def _sees_dequantised_frames(self) -> Self:
        views.require(self.view, "rfn", of="frames", scaling="centred", dequantise=True)
        if self.view.frames < 2:
            raise ValueError(
                "view.frames is 1, but the first frame of a clip is only given. Raise it to 2 or "
                "more."
            )
        return self

    @model_validator(mode="after")
    def _has_widths_for_each_level(self) -> Self:
        for name in ("widths", "conditioning"):
            if (count := len(getattr(self, name))) != self.levels:
                raise ValueError(
                    f"{name} has {count} numbers, but levels is {self.levels}. Give one for each."
                )
        return self


class Temperatures(Options):
    """What deviations are multiplied by: `flow` of how a frame looks, `prior` of what happens."""

    flow: Temperature
    prior: Temperature

    @property
    def random(self) -> bool:
        """Futures always differ."""
        return True


class State(NamedTuple):
    """What futures (B) know.

    Attributes:
        features: of the last frame, of which `memory` was not told yet, by level.
        memory: h and c of the LSTM.
        latent: z of the last frame (B,Z,H',W'); z_0 until `start` has drawn others.
        given: h of the given frames but the first (B,t-1,F,H',W'), and none later.
    """

    features: list[Tensor]
    memory: Pair
    latent: Tensor
    given: Tensor


def build(settings: Settings, given: Given) -> "RecurrentFlow":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames cannot be halved so many times.
    """
    return RecurrentFlow(settings, given)


class RecurrentFlow(Variational[State]):
    """The bound counts each frame's density under the flow, and the KL of its latent."""

    settings: Settings
    options = Temperatures
    likelihood_kind: ClassVar[LikelihoodKind] = "elbo"

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        shape = given.shape
        size = pyramids.lowest("rfn", settings.levels, shape.height, shape.width)
        last, hidden, latent = settings.widths[-1], settings.hidden, settings.latent
        self.extractor = pyramids.Extractor(settings.extractor, shape.channels, settings.widths)
        self.recurrence = ConvLSTM(last, hidden)
        self.first_h, self.first_c = LearnedState(hidden, *size), LearnedState(hidden, *size)
        self.first_z = LearnedState(latent, *size)
        known = hidden + last
        if settings.smoothing:
            self.lookahead = Lookahead(known, hidden, size)
            known = hidden
        self.prior = LatentMaps(hidden, settings.latent_network, latent)
        self.posterior = LatentMaps(known, settings.latent_network, latent)
        self.chain = LatentChain(
            self.prior,
            self.posterior,
            nn.Identity(),
            settings.residual_posterior,
            settings.overshooting,
            settings.prior_chain,
        )
        inputs = hidden + latent
        told = settings.widths if settings.skips in ("conditioning", "both") else ()
        self.conditioner = pyramids.Conditioner(
            settings.extractor, inputs, settings.conditioning, told
        )
        maps = settings.conditioning
        if settings.skips in ("flow", "both"):
            maps = tuple(map(sum, zip(maps, settings.widths, strict=True)))
        self.flow = flows.Glow(
            (shape.channels, shape.height, shape.width),
            settings.levels,
            settings.steps,
            settings.coupling_width,
            maps,
            settings.memory,
        )
        self.base = BaseDistribution(
            inputs, self.flow.base_shape[0], settings.base_width, settings.base_deviation
        )

    def prepare(self, batch: Mapping[str, Any], moment: Moment) -> None:
        """Let every ActNorm begin from the first batch."""
        x_BCTHW = batch["x"]
        with flows.starting(self):
            noise = Fresh(moment.numbers, len(x_BCTHW), x_BCTHW.device)
            self.terms(x_BCTHW, self.trained_from, noise)

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return what given frames tell: h of each but the first, and features of the last."""
        features = self._features(x_NCtHW)
        h_NtFHW, memory = self._along(features[-1][:, :-1])
        latent = self.first_z(len(x_NCtHW))
        return State([level[:, -1] for level in features], memory, latent, h_NtFHW)

    def start(self, seen: State, options: Temperatures, noise: Noise) -> State:
        """Return the state of futures, whose latents of the given frames are the prior's."""
        latent = self.chain.warm(seen.latent, seen.given, options.prior, noise)
        return seen._replace(latent=latent, given=seen.given[:, :0])

    def advance(
        self, state: State, time: int, options: Temperatures, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) of futures and the state after it."""
        memory, latent = self._follow(state, time, options, noise)
        x_BCHW = self.picture(memory[0], latent, state.features, time, options, noise)
        return x_BCHW, State(self.extractor(x_BCHW), memory, latent, state.given)

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return what the frames from `given` on cost, all in one call of the flow.

        `about` has the moments of prior, posterior and base, means over all of each.
        """
        features, h_BSFHW, found = self.infer(x_BCTHW, given, noise)
        before = [level[:, given - 1 : -1].flatten(0, 1) for level in features]
        conditions, base = self._conditioned(
            h_BSFHW.flatten(0, 1), found.latents.flatten(0, 1), before
        )
        x_BSCHW = x_BCTHW[:, :, given:].transpose(1, 2)
        log_B = self.flow.log_prob(x_BSCHW.flatten(0, 1), conditions, base)
        shape = h_BSFHW.shape[:2]
        base = Gaussian(base.mean.unflatten(0, shape), base.deviation.unflatten(0, shape))
        about = found.prior.moments("prior") | found.posterior.moments("posterior")
        nll_BS = -log_B.unflatten(0, x_BSCHW.shape[:2])
        return Terms(nll_BS, {"z": found.kl}, found.log_ratio, about | base.moments("base"))

    def surprisal(
        self, state: State, x_BCHW: Tensor, time: int, options: Temperatures, noise: Noise
    ) -> Tensor:
        """Return -log p(x | z) (B,), in nats; see `Variational.surprisal`."""
        memory, latent = self._follow(state, time, options, noise)
        return -self.flow.log_prob(x_BCHW, *self._conditioned(memory[0], latent, state.features))

    def replay(self, x_BCTHW: Tensor, given: int, options: Temperatures, noise: Noise) -> Tensor:
        """Return the frames (B,C,S,H,W) from `given` on; see `Variational.replay`."""
        features, h_BSFHW, found = self.infer(x_BCTHW, given, noise)
        pictures = [
            self.picture(
                h_BSFHW[:, step],
                found.latents[:, step],
                [level[:, given - 1 + step] for level in features],
                given + step,
                options,
                noise,
            )
            for step in range(h_BSFHW.shape[1])
        ]
        return torch.stack(pictures, dim=2)

    def _follow(
        self, state: State, time: int, options: Temperatures, noise: Noise
    ) -> tuple[Pair, Tensor]:
        """Return memory and z (B,Z,H',W') of frame `time`, as the prior draws it."""
        memory = self.recurrence(state.features[-1], state.memory)
        return memory, self.chain.follow(state.latent, memory[0], time, options.prior, noise)

    def picture(
        self,
        h_BFHW: Tensor,
        z_BZHW: Tensor,
        features: Sequence[Tensor],
        time: int,
        options: Temperatures,
        noise: Noise,
    ) -> Tensor:
        """Return frame `time` (B,C,H,W), drawn by the flow; `features` are of the one before."""
        conditions, base = self._conditioned(h_BFHW, z_BZHW, features)
        noises = [
            noise.normal(f"flow {level}", time, shape)
            for level, shape in enumerate(self.flow.noise_shapes, start=1)
        ]
        return self.flow.sample(noises, conditions, base, options.flow)

    def infer(
        self, x_BCTHW: Tensor, given: int, noise: Noise
    ) -> tuple[list[Tensor], Tensor, Inferred]:
        """Return features by level, h (B,S,F,H',W') and latents of the frames from `given` on."""
        features = self._features(x_BCTHW)
        h_BTFHW, _ = self._along(features[-1][:, :-1])
        start = self.first_z(len(x_BCTHW))
        start = self.chain.warm(start, h_BTFHW[:, : given - 1], 1.0, noise)
        h_BSFHW = h_BTFHW[:, given - 1 :]
        known_BSFHW = torch.cat([h_BSFHW, features[-1][:, given:]], dim=2)
        if self.settings.smoothing:
            known_BSFHW = self.lookahead(known_BSFHW)
        return features, h_BSFHW, self.chain.infer(start, h_BSFHW, known_BSFHW, given, noise)

    def _features(self, x_BCTHW: Tensor) -> list[Tensor]:
        """Return the features of every frame, (B,T,.,H/2^l,W/2^l) for each level."""
        x_BTCHW = x_BCTHW.transpose(1, 2)
        shape = x_BTCHW.shape[:2]
        return [level.unflatten(0, shape) for level in self.extractor(x_BTCHW.flatten(0, 1))]

    def _along(self, features_BTFHW: Tensor) -> tuple[Tensor, Pair]:
        """Return h (B,T,F,H',W') after each frame's features, and the memory after the last."""
        rows = len(features_BTFHW)
        memory = (self.first_h(rows), self.first_c(rows))
        states = [memory[0][:, None][:, :0]]
        for features_BFHW in features_BTFHW.unbind(dim=1):
            memory = self.recurrence(features_BFHW, memory)
            states.append(memory[0][:, None])
        return torch.cat(states, dim=1), memory

    def _conditioned(
        self, h_BFHW: Tensor, z_BZHW: Tensor, features: Sequence[Tensor]
    ) -> tuple[list[Tensor], Gaussian]:
        """Return the conditions of the flow and its base; `features` are of the last frame."""
        skips, both = self.settings.skips, torch.cat([h_BFHW, z_BZHW], dim=1)
        maps = self.conditioner(both, features if skips in ("conditioning", "both") else ())
        if skips in ("flow", "both"):
            maps = [torch.cat(pair, dim=1) for pair in zip(maps, features, strict=True)]
        return maps, self.base(both)
