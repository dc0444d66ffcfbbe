"""What the convolutional SRNN and VRNN share: settings, layers, and how a frame is drawn.

Glissov and Konradsen 2021, 5.1 and table A.3. Frames become features phi(x), a latent becomes a
picture phi(z) of their size, a convolutional LSTM goes along the features of past frames, and frame
t is decoded from its state h_t and phi(z_t). The kinds differ in what h_t, prior and posterior see.

Shapes: N clips, B rows, C channels of the view, T frames, t given ones, S scored ones, H rows, W
columns, F features, H' = H/8, W' = W/8, Z dimensions of a latent.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.base import Strict
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks import frame_vae
from foreframe.networks.conv_lstm import LearnedState, Pair
from foreframe.networks.frame_vae import REDUCTION, LatentNetwork, over_time
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.likelihoods.outputs import Frames, GaussianFrames, MixtureFrames
from foreframe.networks.noise import Noise
from foreframe.predictors import LikelihoodKind
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.variational import LatentOptions, Variational, VariationalSettings

# What random numbers are for.
PRIOR, POSTERIOR, FRAME = "prior", "posterior", "frame"

Size = Annotated[int, Field(ge=1)]


class GaussianOutput(Strict):
    """A density, with which the thesis tuned: one learned deviation for all values.

    It is softplus(v) on frames in [0, 1]; v begins at `raw_deviation`, in the thesis's code at 1.
    Far above the true error nothing is gained by latents, and v moves by a step size at a time.
    """

    kind: Literal["gaussian"]
    raw_deviation: float


class MixtureOutput(Strict):
    """Probabilities of 8-bit values, of which the thesis reports: 10 logistics for each pixel."""

    kind: Literal["mixture_of_logistics"]
    mixtures: Size


class ConvolutionalSettings(VariationalSettings):
    """What both have; the thesis's numbers are named."""

    output: Annotated[GaussianOutput | MixtureOutput, Field(discriminator="kind")]
    latent_dim: Size  # 25 for the robot arm, 15 for moving digits, 12 for people
    features: tuple[Size, Size, Size]  # of frames, after each halving; 64, 128, 256
    latent_features: Size  # of phi(z); 128
    hidden: Size  # of h; 256
    trunk: Size  # channels of prior and posterior; 256
    heads: tuple[Size, Size]  # layers before their mean and their deviation; 512, 256
    decoder: tuple[Size, Size, Size, Size, Size]  # 512, 256, 64, 64, 32

    @model_validator(mode="after")
    def _sees_what_it_says(self) -> Self:
        who = f"{self.kind} with output.kind {self.output.kind}"
        if self.output.kind == "gaussian":
            views.require(self.view, who, of="frames", scaling="unit", dequantise=True)
        else:
            wanted = {"scaling": "symmetric", "bits": 8, "dequantise": False}
            views.require(self.view, who, of="frames", **wanted)
        if self.view.frames < 2:
            raise ValueError(
                "view.frames is 1, but the first frame of a clip is only given. Raise it to 2 or "
                "more."
            )
        return self


class State(NamedTuple):
    """What futures (B) know.

    Attributes:
        features: of the last frame, (B,F,H',W'), of which `memory` was not told yet.
        memory: h and c of the LSTM.
        latent: phi(z) of the last frame, (B,F,H',W'); that of z_0 until `start` has drawn others.
        given: what `start` needs of the given frames but one, (B,t-1,F,H',W'), and none later.
    """

    features: Tensor
    memory: Pair
    latent: Tensor
    given: Tensor


class Inferred(NamedTuple):
    """What the posterior drew along S true frames, and what it cost.

    Attributes:
        h: of the LSTM, (B,S,F,H',W').
        latents: phi(z), (B,S,F,H',W').
        posterior: q of each z, (B,S,Z).
        prior: what it is compared with.
        kl: (B,S), in nats.
        log_ratio: (B,S), log p(z) - log q(z) of what q drew.
    """

    h: Tensor
    latents: Tensor
    posterior: Gaussian
    prior: Gaussian
    kl: Tensor
    log_ratio: Tensor


class Convolutional(Variational[State]):
    """All but how latents and the LSTM's states follow from one another."""

    settings: ConvolutionalSettings
    options = LatentOptions
    likelihood_kind: ClassVar[LikelihoodKind] = "elbo"

    def __init__(self, settings: ConvolutionalSettings, given: Given) -> None:
        super().__init__()
        shape = given.shape
        if shape.height % REDUCTION or shape.width % REDUCTION:
            raise UserError(
                f"The predictor {settings.kind} halves frames three times, but these have "
                f"{shape.height} x {shape.width} pixels. Set source.height and source.width to "
                f"multiples of {REDUCTION}."
            )
        self.settings, self.given = settings, given
        self.size = (shape.height // REDUCTION, shape.width // REDUCTION)
        self.output = _output(settings.output, shape.channels)
        self.features = frame_vae.frame_features(shape.channels, settings.features)
        dimensions, width = settings.latent_dim, settings.latent_features
        self.latent_features = frame_vae.latent_features(dimensions, width, self.size)
        inputs = settings.hidden + width
        self.decoder = frame_vae.frame_decoder(inputs, settings.decoder, self.output.channels)
        self.first_h = LearnedState(settings.hidden, *self.size)
        self.first_c = LearnedState(settings.hidden, *self.size)
        self.first_z = LearnedState(dimensions)

    @property
    def grey_level(self) -> float:
        """1 where `terms` are probabilities, the width of a grey level where they are densities."""
        return 1.0 if self.output.discrete else super().grey_level

    @abstractmethod
    def _follow(self, state: State, time: int, scale: float, noise: Noise) -> tuple[Pair, Tensor]:
        """Return memory and phi(z) (B,F,H',W') of frame `time`, as the prior draws it."""

    @abstractmethod
    def _infer(self, features_BTFHW: Tensor, given: int, noise: Noise) -> Inferred:
        """Return what the posterior draws of the frames from `given` on."""

    def advance(
        self, state: State, time: int, options: LatentOptions, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) of futures and the state after it."""
        memory, latent = self._follow(state, time, options.scale, noise)
        x_BCHW = self._picture(memory[0], latent, time, options, noise)
        return x_BCHW, State(self.features(x_BCHW), memory, latent, state.given)

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return what the frames from `given` on cost.

        `about` has the moments of prior and posterior, means over the latent.
        """
        x_BTCHW = x_BCTHW.transpose(1, 2)
        found = self._infer(over_time(self.features, x_BTCHW), given, noise)
        nll_BS = self._nll(x_BTCHW[:, given:], found.h, found.latents)
        about = found.prior.moments("prior") | found.posterior.moments("posterior")
        return Terms(nll_BS, {"z": found.kl}, found.log_ratio, about)

    def surprisal(
        self, state: State, x_BCHW: Tensor, time: int, options: LatentOptions, noise: Noise
    ) -> Tensor:
        """Return -log p(x | z) (B,), in nats; see `Variational.surprisal`."""
        memory, latent = self._follow(state, time, options.scale, noise)
        return self._nll(x_BCHW[:, None], memory[0][:, None], latent[:, None])[:, 0]

    def replay(self, x_BCTHW: Tensor, given: int, options: LatentOptions, noise: Noise) -> Tensor:
        """Return the frames (B,C,S,H,W) from `given` on; see `Variational.replay`."""
        found = self._infer(over_time(self.features, x_BCTHW.transpose(1, 2)), given, noise)
        steps = zip(found.h.unbind(dim=1), found.latents.unbind(dim=1), strict=True)
        pictures = [
            self._picture(h_BFHW, latent, time, options, noise)
            for time, (h_BFHW, latent) in enumerate(steps, start=given)
        ]
        return torch.stack(pictures, dim=2)

    def _latent_network(self, inputs: int) -> LatentNetwork:
        settings = self.settings
        return LatentNetwork(inputs, settings.trunk, settings.heads, settings.latent_dim, self.size)

    def _first_memory(self, rows: int) -> Pair:
        return self.first_h(rows), self.first_c(rows)

    def _first_latent(self, rows: int) -> Tensor:
        """Return phi(z_0) (B,F,H',W')."""
        return self.latent_features(self.first_z(rows))

    def _drawn(
        self, latents: Gaussian, purpose: str, time: int, noise: Noise, scale: float = 1.0
    ) -> Tensor:
        """Return z (B,Z) of a Gaussian."""
        return latents.sample(noise.normal(purpose, time, (self.settings.latent_dim,)), scale)

    def _picture(
        self, h_BFHW: Tensor, latent_BFHW: Tensor, time: int, options: LatentOptions, noise: Noise
    ) -> Tensor:
        """Return the frame (B,C,H,W) that follows from h_t and phi(z_t)."""
        raw_BPHW = self.decoder(torch.cat([h_BFHW, latent_BFHW], dim=1))
        if options.frames == "mean":
            return self.output.mean(raw_BPHW)
        draw = noise.gumbel if self.output.noise == "gumbel" else noise.normal
        shape = (self.output.noise_channels, *raw_BPHW.shape[-2:])
        return self.output.sample(raw_BPHW, draw(FRAME, time, shape))

    def _nll(self, x_BSCHW: Tensor, h_BSFHW: Tensor, latent_BSFHW: Tensor) -> Tensor:
        """Return -log p (B,S) of true frames, all in one call of the decoder."""
        raw_BSPHW = over_time(self.decoder, torch.cat([h_BSFHW, latent_BSFHW], dim=2))
        nll = self.output.nll(x_BSCHW.flatten(0, 1), raw_BSPHW.flatten(0, 1))
        return nll.unflatten(0, x_BSCHW.shape[:2])


def _output(settings: GaussianOutput | MixtureOutput, colours: int) -> Frames:
    if isinstance(settings, GaussianOutput):
        return GaussianFrames(colours, settings.raw_deviation)
    return MixtureFrames(colours, settings.mixtures)
