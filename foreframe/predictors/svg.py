"""SVG-LP (Denton and Fergus 2018): an LSTM over vectors of frames, with a learned prior of latents.

h_t and skips s_t are the encoder's of frame x_t. With LSTMs for prior, posterior and predictor,

    p(z_t | x_<t) = N(prior(h_1..t-1)),  q(z_t | x_<=t) = N(posterior(h_2..t)),
    g_t = predictor([h_t-1; z_t], ...),  x^_t = decoder(g_t, s of the last context frame),

and sum_t MSE(x^_t, x_t) + beta KL is minimised over all frames but the first. Within the context
the skips are those of the frame before. (The authors' code stops following one frame earlier, at
the last but one context frame; here it is the last one, as the paper says.) Frames of a clip are
encoded and decoded in one call, so a batch normalisation sees them all at once in training.

Shapes: N clips, B futures or samples of them, C channels of the view, T frames, t given ones, S
scored ones, H rows, W columns, F features of a vector, Z dimensions of a latent.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks import svg_frames
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.noise import Noise
from foreframe.networks.stacked_lstm import Memory, StackedLSTM
from foreframe.networks.svg_frames import Backbone, FrameDecoder, FrameEncoder
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.variational import LatentOptions, Variational, VariationalSettings
from foreframe.training.objective import Moment

LATENT = "latent"

Size = Annotated[int, Field(ge=1)]


class Settings(VariationalSettings):
    """The section of params.yaml; the paper's beta is a constant `kl_weight`, 1e-4."""

    kind: Literal["svg"]
    backbone: Backbone
    width: Size  # channels of the first stage of the encoder; 64 in the paper
    features: Size  # of a frame's vector; 128
    hidden: Size  # values of the state of an LSTM; 256
    predictor_layers: Size  # of the LSTM that goes on; 2
    latent_layers: Size  # of those of prior and posterior; 1
    latent_dim: Size  # 10 for moving digits, 64 for the robot arm
    context: Size  # frames that are given in training

    @model_validator(mode="after")
    def _sees_enough(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="unit", dequantise=False)
        if self.view.frames <= self.context:
            raise ValueError(
                f"view.frames is {self.view.frames}, of which {self.context} are the context. Let "
                "a clip have more frames, or lower context."
            )
        return self


class LatentsOnly(LatentOptions):
    """How the latents of a future are drawn; of a frame the mean is known, and nothing else."""

    frames: Literal["mean"]


class State(NamedTuple):
    """What futures (B) know: the last frame, and what its features went through.

    Attributes:
        frame: (B,C,H,W).
        said: by stage of the decoder, what the features of the last given frame say to it.
        prior: memory of the prior, to which the last frame is still to be told.
        predictor: that of the predictor, likewise.
        given: features of the given frames (B,t,F), mean and deviation of the latents of all but
            the first, (B,t-1,Z); None once the predictor was told of them.
    """

    frame: Tensor
    said: list[Tensor]
    prior: Memory
    predictor: Memory
    given: tuple[Tensor, Tensor, Tensor] | None


def build(settings: Settings, given: Given) -> "SVG":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames are no squares of a size that the encoder takes.
    """
    return SVG(settings, given)


class SVG(Variational[State]):
    """Encoder, decoder and three LSTMs.

    As in the paper, 12,614,057 weights for moving digits (`dcgan`, one channel, 64 rows, latents of
    10) and 22,831,747 for the robot arm (`vgg`, three channels, latents of 64).
    """

    settings: Settings
    options = LatentsOnly

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        shape, features = given.shape, settings.features
        if shape.height != shape.width or shape.height not in svg_frames.SIZES:
            sizes = ", ".join(str(size) for size in svg_frames.SIZES)
            raise UserError(
                f"The predictor svg takes square frames of {sizes} rows, not {shape.height} x "
                f"{shape.width}. Change source.height and source.width."
            )
        self.settings, self.given, self.needs = settings, given, settings.context
        frames = (settings.backbone, shape.channels, shape.height, settings.width, features)
        self.encoder, self.decoder = FrameEncoder(*frames), FrameDecoder(*frames)
        latents = (features, settings.hidden, settings.latent_layers, 2 * settings.latent_dim)
        self.prior, self.posterior = StackedLSTM(*latents), StackedLSTM(*latents)
        inputs = features + settings.latent_dim
        self.predictor = StackedLSTM(inputs, settings.hidden, settings.predictor_layers, features)

    @property
    def trained_from(self) -> int:
        """The first frame that the loss looks at: the second one."""
        return 1

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return scalars: sum_t MSE + beta KL of a clip, the mean over the batch.

        Beside it `error`, the MSE of a frame, and the KL in nats for each value of a frame.
        """
        found = super().loss(batch, moment)
        # A frame's error is the mean over its values already.
        found["error"] = found.pop("nll") * batch["x"][0, :, 0].numel()
        return found

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return what given frames tell; nothing is told to the predictor yet."""
        features_NtF, skips = self._features(x_NCtHW)
        posterior = _gaussian(self.posterior(features_NtF[:, 1:], self.posterior.start(x_NCtHW))[0])
        _, prior = self.prior(features_NtF[:, :-1], self.prior.start(x_NCtHW))
        said = self.decoder.read([skip_NtCHW[:, -1] for skip_NtCHW in skips])
        given = (features_NtF, posterior.mean, posterior.deviation)
        return State(x_NCtHW[:, :, -1], said, prior, self.predictor.start(x_NCtHW), given)

    def start(self, seen: State, options: LatentsOnly, noise: Noise) -> State:
        """Return the state of futures, with latents of the given frames from the posterior."""
        assert seen.given is not None
        features_BtF, mean, deviation = seen.given
        drawn = 0.0 if options.latents == "mean" else 1.0
        z = Gaussian(mean, deviation).sample(self._noise(noise, mean), drawn)
        _, predictor = self._predicted(features_BtF[:, :-1], z, seen.predictor)
        return seen._replace(predictor=predictor, given=None)

    def advance(
        self, state: State, time: int, options: LatentsOnly, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) and the state after it."""
        features_B1F, _ = self._features(state.frame[:, :, None])
        raw, prior = self.prior(features_B1F, state.prior)
        shape = (self.settings.latent_dim,)
        z = _gaussian(raw).sample(noise.normal(LATENT, time, shape)[:, None], options.scale)
        vector_B1F, predictor = self._predicted(features_B1F, z, state.predictor)
        frame = self.decoder(vector_B1F[:, 0], state.said)
        return frame, state._replace(frame=frame, prior=prior, predictor=predictor)

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return as `nll` the mean squared error of frames, which is no likelihood, and the KL."""
        features_BTF, skips = self._features(x_BCTHW)
        before, after = features_BTF[:, :-1], features_BTF[:, 1:]
        prior = _gaussian(self.prior(before, self.prior.start(x_BCTHW))[0])
        posterior = _gaussian(self.posterior(after, self.posterior.start(x_BCTHW))[0])
        z = posterior.sample(self._noise(noise, posterior.mean))
        vectors, _ = self._predicted(before, z, self.predictor.start(x_BCTHW))
        hat_BSCHW = self._decoded(vectors, skips, given)
        error = (hat_BSCHW - x_BCTHW[:, :, given:].transpose(1, 2)).square()
        scored = slice(given - 1, None)
        ratio = (prior.log_prob(z) - posterior.log_prob(z)).sum(dim=2)
        divergence = posterior.divergence(prior).sum(dim=2)
        nll = error.flatten(2).mean(dim=2)
        return Terms(nll, {LATENT: divergence[:, scored]}, ratio[:, scored])

    def _features(self, x_BCTHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return vectors (B,T,F) and skips (B,T,C,H,W) of frames."""
        rows = (len(x_BCTHW), x_BCTHW.shape[2])
        vectors, skips = self.encoder(x_BCTHW.transpose(1, 2).flatten(0, 1))
        return vectors.unflatten(0, rows), [skip.unflatten(0, rows) for skip in skips]

    def _noise(self, noise: Noise, like_BTZ: Tensor) -> Tensor:
        """Return normal numbers of the latents of frames 1, 2, ..., in the shape of their means."""
        times = range(like_BTZ.shape[1])
        drawn = [noise.normal(LATENT, time + 1, (self.settings.latent_dim,)) for time in times]
        return torch.stack(drawn, dim=1) if drawn else torch.zeros_like(like_BTZ)

    def _predicted(
        self, before_BTF: Tensor, z_BTZ: Tensor, memory: Memory
    ) -> tuple[Tensor, Memory]:
        vectors, memory = self.predictor(torch.cat([before_BTF, z_BTZ], dim=2), memory)
        return vectors.tanh(), memory

    def _decoded(self, vectors_BTF: Tensor, skips: list[Tensor], given: int) -> Tensor:
        """Return frames (B,S,C,H,W) from `given` on, of vectors of all frames but the first."""
        rows, frames = len(vectors_BTF), vectors_BTF.shape[1] + 1
        first, last = given - 1, min(max(given, self.needs), frames - 1) - 1
        seen = [skip[:, first : last + 1] for skip in skips]
        said = self.decoder.read([skip.flatten(0, 1) for skip in seen])
        # Of every frame to come, the one before it, but none after the context.
        sources = [min(time - 1, last) - first for time in range(given, frames)]
        chosen = torch.tensor(sources, device=vectors_BTF.device)
        told = [
            each.unflatten(0, (rows, -1)).index_select(1, chosen).flatten(0, 1) for each in said
        ]
        hat = self.decoder(vectors_BTF[:, first:].flatten(0, 1), told)
        return hat.unflatten(0, (rows, frames - given))


def _gaussian(raw_BTZ: Tensor) -> Gaussian:
    """Return the one whose mean and log variance these are."""
    mean, log_variance = raw_BTZ.float().chunk(2, dim=2)
    return Gaussian(mean, (0.5 * log_variance).exp())
