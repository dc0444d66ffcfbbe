"""What tests of predictors with slots need: small scenes, noise with shares, a moving square."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from foreframe.config.training import Ramp
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.networks.modular_transition import Drawing
from foreframe.networks.noise import Noise
from foreframe.predictors.vim import VIM, ModuleOptions, Settings, build
from foreframe.randomness import Draws
from tests.foreframe.predictors import moving

SLOTS, DIM, MODULES, SIDE, FRAMES, ROWS = 3, 6, 4, 8, 4, 3
SAMPLED = ModuleOptions(latents="sample", temperature=1.0, frames="mean", modules="sample")
MEAN = ModuleOptions(latents="mean", temperature=1.0, frames="mean", modules="likeliest")
ONE = Ramp(first=1.0, last=1.0, begin=0, steps=1, of="run")


class Repeated(moving.Repeated):
    """The same numbers whenever they are asked for, by what they are for."""

    def gumbel(self, purpose: str, time: int, shape: Sequence[int]) -> Tensor:
        uniform = self._numbers(purpose, time).uniform((self.rows, *shape), dtype=torch.float64)
        return (-torch.log(-torch.log(uniform))).float()


def scene(**changes: Any) -> dict[str, Any]:
    """Return settings of a small scene."""
    layers = {"width": 6, "layers": 2, "kernel": 3, "scaled": 1}
    known = {"slots": SLOTS, "dim": DIM, "iterations": 2, "hidden": 8, "waves": 0}
    return known | {"encoder": layers, "decoder": layers} | changes


def settings(**changes: Any) -> Settings:
    transition = {"modules": MODULES, "trunk": 8, "module": 7, "latent": 5, "key": 6}
    known: dict[str, Any] = {
        "view": moving.view(channels="colour", frames=FRAMES),
        "scene": scene(),
        "transition": transition | changes.pop("transition", {}),
        "iterations": 1,
        "deviation": 0.3,
        "kl_weight": ONE,
        "free_bits": 0.0,
    }
    return Settings(**moving.common("vim", **(known | changes)))


def ready(built: Any) -> Any:
    """Draw weights, and say how frames are seen."""
    moving.drawn(built)
    built.scaling = Scaling(built.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return built


def model(side: int = SIDE, **changes: Any) -> VIM:
    """Return a small VIM."""
    made: VIM = ready(build(settings(**changes), moving.given(side, channels=3, frames=FRAMES)))
    return made


def clips(count: int = ROWS, frames: int = FRAMES) -> Tensor:
    """Return clips (B,3,T,H,W) of a square that moves."""
    x_B1THW = moving.clips(count, frames, SIDE)
    return torch.cat([x_B1THW, 1 - x_B1THW, 0.5 * x_B1THW], dim=1)


def pictures(count: int = ROWS, frames: int = FRAMES) -> Tensor:
    """Return the same as 8-bit frames (B,T,H,W,3)."""
    return (255 * clips(count, frames)).round().to(torch.uint8).movedim(1, -1).contiguous()


def first(count: int) -> Draws:
    """Return the draws of the first future of each clip."""
    return Draws.first(0, list(range(10, 10 + count)))


def drawing(noise: Noise, scale: float = 1.0) -> Drawing:
    """Return how modules and latents are drawn outside training."""
    return Drawing("hard", scale, noise)
