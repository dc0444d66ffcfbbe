"""The convolutional SRNN and VRNN, small, and noise that is known by what it is for."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from foreframe.config.training import Ramp
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.data.views import View
from foreframe.models import Shape
from foreframe.networks.frame_vae import LatentNetwork
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors.convolutional import Convolutional
from foreframe.predictors.learned import ROLE, Given
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import generator
from tests.foreframe.training.games import plan

SIDE, FRAMES, LATENT = 16, 5, 3
GAUSSIAN: dict[str, Any] = {"kind": "gaussian", "raw_deviation": 1.0}
MIXTURE: dict[str, Any] = {"kind": "mixture_of_logistics", "mixtures": 2}
DRAWN = LatentOptions(latents="sample", temperature=1.0, frames="sample")
MEAN = LatentOptions(latents="mean", temperature=1.0, frames="mean")
MEAN_FRAMES = LatentOptions(latents="sample", temperature=1.0, frames="mean")
SMALL: dict[str, Any] = {
    "actions": "none",
    "labels": (),
    "kl_weight": Ramp(first=0.0, last=1.0, begin=0, steps=10, of="run"),
    "free_bits": 0.0,
    "training": plan(),
    "output": GAUSSIAN,
    "latent_dim": LATENT,
    "features": (4, 4, 6),
    "latent_features": 3,
    "hidden": 5,
    "trunk": 6,
    "heads": (8, 7),
    "decoder": (6, 6, 5, 4, 4),
}
THESIS: dict[str, Any] = SMALL | {
    "output": {"kind": "mixture_of_logistics", "mixtures": 10},
    "latent_dim": 25,
    "features": (64, 128, 256),
    "latent_features": 128,
    "hidden": 256,
    "trunk": 256,
    "heads": (512, 256),
    "decoder": (512, 256, 64, 64, 32),
}


def view(output: dict[str, Any], **changes: Any) -> View:
    density = output["kind"] == "gaussian"
    known: dict[str, Any] = {
        "of": "frames",
        "frames": FRAMES,
        "train_stride": 1,
        "evaluation_stride": 1,
        "channels": "grey",
        "scaling": "unit" if density else "symmetric",
        "bits": 8,
        "dequantise": density,
    }
    return View(**(known | changes))


def given(settings: Any, height: int = SIDE, width: int = SIDE) -> Given:
    return Given(Shape(settings.view.colours, FRAMES, height, width), (), {})


def ready(settings: Any) -> Any:
    """Return a small network with weights, in eval mode, whose normalisations have seen frames."""
    model: Any = ROLE.build(settings, given(settings))
    model.initialize(generator(0, "weights"))
    model.scaling = Scaling(settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    louder(model)
    model.train()
    with torch.no_grad():
        model.terms(clips(model), 1, fresh(3))
    return model.eval()


@torch.no_grad()
def louder(model: nn.Module) -> None:
    # Of small layers with torch's weights, little comes through: what differs must be seen.
    for name, parameter in model.named_parameters():
        if name.startswith(("first_", "last_")):
            parameter.copy_(generator(1, name).normal(parameter.shape))
        elif parameter.dim() > 1:
            parameter.mul_(3)


def clips(model: Any, count: int = 3, frames: int = FRAMES) -> Tensor:
    """Return clips (B,C,T,H,W) as the model's view shows them."""
    return seen(model, frames_of(count, frames))


def frames_of(count: int, frames: int = FRAMES) -> Tensor:
    grey = generator(2, "clips").integers(0, 256, (count, frames, SIDE, SIDE, 1))
    return grey.to(torch.uint8).expand(-1, -1, -1, -1, 3).contiguous()


def seen(model: Convolutional, frames_BTHWC: Tensor) -> Tensor:
    return model.scaling.inward(frames_BTHWC, generator(3, "dequantise"))


def fresh(count: int, seed: int = 0) -> Noise:
    return Fresh(generator(seed, "noise"), count, torch.device("cpu"))


@dataclass(frozen=True)
class Same(Noise):
    """Numbers that depend on the frame and, with `apart`, on what they are for."""

    count: int
    apart: bool = True

    def normal(self, purpose: str, time: int, shape: Any) -> Tensor:
        name = purpose if self.apart else "any"
        return generator(0, name, time).normal((self.count, *shape))

    def gumbel(self, purpose: str, time: int, shape: Any) -> Tensor:
        uniform = generator(0, purpose, time).uniform((self.count, *shape), dtype=torch.float64)
        return (-torch.log(-torch.log(uniform))).float()


@dataclass(frozen=True)
class Listed(Same):
    """Keeps what was asked for."""

    asked: list[tuple[str, int]] = field(default_factory=list)

    def normal(self, purpose: str, time: int, shape: Any) -> Tensor:
        self.asked.append((purpose, time))
        return super().normal(purpose, time, shape)


@torch.no_grad()
def agree(posterior: LatentNetwork, prior: LatentNetwork) -> None:
    """Give a posterior the weights of a prior, and 0 for what it is told beside."""
    weights = dict(prior.named_parameters()) | dict(prior.named_buffers())
    for name, value in (*posterior.named_parameters(), *posterior.named_buffers()):
        if value.shape == weights[name].shape:
            value.copy_(weights[name])
        else:
            value.zero_()
            value[:, : weights[name].shape[1]] = weights[name]


def followed(model: Any, x_BCTHW: Tensor, context: int, noise: Noise) -> Tensor:
    """Return mean frames (B,C,S,H,W) of `advance`, which is told the true frames of a clip."""
    state = model.start(model.encode(x_BCTHW[:, :, :context]), MEAN_FRAMES, noise)
    found = []
    for time in range(context, x_BCTHW.shape[2]):
        frame, state = model.advance(state, time, MEAN_FRAMES, noise)
        state = state._replace(features=model.features(x_BCTHW[:, :, time]))
        found.append(frame)
    return torch.stack(found, dim=2)


def cost(model: Any, x_BCSHW: Tensor, mean_BCSHW: Tensor) -> Tensor:
    """Return -log p (B,S) of frames under the model's Gaussian around means."""
    deviation = torch.nn.functional.softplus(model.output.raw_deviation)
    found = torch.distributions.Normal(mean_BCSHW, deviation).log_prob(x_BCSHW)
    return -found.sum(dim=(1, 3, 4))
