"""What tests of Feature Flow need: small settings and those of the thesis, a network, clips."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.networks.clip_features import Level
from foreframe.predictors import Context
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.feature_flow import FeatureFlow, Settings, build
from foreframe.randomness import generator
from tests.foreframe.predictors import moving
from tests.foreframe.training.games import adam, plan

OPTIONS = Latents(temperature=1.0)
CLOSED, FRAMES = 2, 5
BOTH = ("generator", "critic")

SMALL: dict[str, Any] = {
    "encoder": (4, 6),
    "condition": (5, 7),
    "flow": (8, 6),
    "decoder": (6, 4),
    "latents": "each_frame",
    "latent_dim": 3,
    "kappa": 3,
    "recurrent_features": True,
    "recurrent_flow": True,
    "recurrent_norm": False,
    "masked": True,
}
# As the thesis has it for frames of 120 rows, with the sizes that it leaves open.
WHOLE = SMALL | {
    "encoder": (64, 128),
    "condition": (128, 256, 256, 512, 512),
    "flow": (512, 256, 256, 128, 64),
    "decoder": (64, 32),
    "latent_dim": 100,
}


def critic(*widths: int) -> dict[str, Any]:
    """Return a critic of one convolution, then recurrent levels."""
    layers = ("convolution", *("recurrent",) * (len(widths) - 1))
    pairs = zip(layers, widths, strict=True)
    levels = tuple(Level(layer=cast(Any, layer), width=width) for layer, width in pairs)
    return {"levels": levels, "pads_time": True, "inverse": None}


def game_plan(**changes: Any) -> Any:
    player = adam(learning_rate=2e-3, betas=(0.5, 0.999))
    values: dict[str, Any] = {"players": dict.fromkeys(BOTH, player), "log_every": 1}
    return plan(**(values | changes))


def settings(of_generator: Mapping[str, Any] | None = None, **changes: Any) -> Settings:
    known: dict[str, Any] = {
        "generator": SMALL | dict(of_generator or {}),
        "critic": critic(4, 5),
        "closed_frames": CLOSED,
        "error_weight": 1.0,
        "generated_frames": None,
        "view": moving.view(scaling="symmetric", frames=FRAMES),
        "training": game_plan(),
    }
    return Settings(**moving.common("feature_flow", **(known | changes)))


def model(of_generator: Mapping[str, Any] | None = None, **changes: Any) -> FeatureFlow:
    built = build(settings(of_generator, **changes), moving.given())
    moving.drawn(built)
    built.scaling = Scaling(built.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return built


def clips(count: int = 4, frames: int = FRAMES) -> Tensor:
    return 2 * moving.clips(count, frames) - 1


def context(given: int, count: int = 2) -> Context:
    grey = generator(0, "frames").integers(0, 256, (count, given, 16, 16, 1)).to(torch.uint8)
    return Context(grey.expand(-1, -1, -1, -1, 3), list(range(3, 3 + count)))
