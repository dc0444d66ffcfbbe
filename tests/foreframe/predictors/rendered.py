"""Predictors of scenes that are small enough for tests, and pictures for them."""

from typing import Any

import torch
from torch import Tensor

from foreframe.config.training import Plan
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.networks.pair_networks import CriticSettings, Head
from foreframe.predictors import giraffe, inferno, nerf_autoencoder, slot_autoencoder
from foreframe.randomness import generator
from tests.foreframe.networks import scenes, test_scene_encoder
from tests.foreframe.networks.test_slot_scene import settings as slot_scene
from tests.foreframe.predictors import moving, pairs
from tests.foreframe.training import games

SIDE, SMALL, ROWS = 8, 4, 3
UPSCALER = {"side": SMALL, "width": 4, "phases": 1, "colours_weight": 0.5}
CAMERA = scenes.CAMERA.model_dump()
MARCH = {"points": 10, "noise": 0.0}
REACH = scenes.REACH.model_dump() | {"places": (0.4, 0.4, 0.3)}  # in the picture


def staged() -> Plan:
    """Return a plan of two phases."""
    player = games.adam(learning_rate=0.01)
    phases = tuple(games.phase(steps=each) for each in (3, 4))
    return games.plan(phases=phases, players={"model": player}, log_every=1)


def known(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that all kinds have."""
    found = moving.common(kind, view=moving.view(channels="colour", frames=1), training=staged())
    return found | changes


def rendering(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    more = {"camera": CAMERA, "march": MARCH, "features": 5, "upscaler": UPSCALER}
    return known(kind, more | {"masks_of": "attention"} | changes)


def field(**changes: Any) -> dict[str, Any]:
    return scenes.field_settings(density=1.0, **changes).model_dump()


def inferno_settings(**changes: Any) -> inferno.Settings:
    more = {"encoder": test_scene_encoder.settings().model_dump()}
    more |= {"reach": REACH}
    more |= {"object_field": field(), "background_field": field(divided=4.0)}
    return inferno.Settings(**rendering("inferno", more | changes))


def nerf_settings(**changes: Any) -> nerf_autoencoder.Settings:
    encoder = test_scene_encoder.settings().model_dump(exclude={"slots", "pose_hidden"})
    more = {"encoder": encoder, "cube": 2.0, "field": field()}
    return nerf_autoencoder.Settings(**rendering("nerf_autoencoder", more | changes))


def slot_settings(**changes: Any) -> slot_autoencoder.Settings:
    more = {"scene": slot_scene().model_dump()}
    return slot_autoencoder.Settings(**known("slot_autoencoder", more | changes))


def giraffe_settings(**changes: Any) -> giraffe.Settings:
    critic = CriticSettings(
        pictures=pairs.small_critic().pictures, head=Head(normalise="none", drop=0.0)
    )
    more: dict[str, Any] = {"shape": 4, "appearance": 3}
    more |= {"background_shape": 2, "background_appearance": 2}
    more |= {"camera": CAMERA, "march": MARCH, "reach": scenes.REACH.model_dump(), "boxes": 3}
    more |= {"fewest": 1, "features": 5, "deviation": 0.1, "penalty": 2.0, "critic": critic}
    more |= {"upscaler": UPSCALER | {"colours_weight": 0.0}, "training": pairs.plan()}
    more |= {"object_field": field(), "background_field": field(divided=4.0)}
    return giraffe.Settings(**known("giraffe", more | changes))


def given(side: int = SIDE) -> Any:
    return moving.given(side, channels=3, frames=1)


def model(kind: str, **changes: Any) -> Any:
    """Return a small predictor of a kind, with starting weights, in eval mode."""
    return built(kind, SIDE, **changes)


def built(kind: str, side: int, **changes: Any) -> Any:
    """Return the same of pictures of another size."""
    module, settings = {
        "inferno": (inferno, inferno_settings),
        "nerf_autoencoder": (nerf_autoencoder, nerf_settings),
        "slot_autoencoder": (slot_autoencoder, slot_settings),
        "giraffe": (giraffe, giraffe_settings),
    }[kind]
    made = module.build(settings(**changes), given(side))
    made.initialize(generator(0, "weights"))
    made.scaling = Scaling(made.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return made.eval()


def pictures(count: int = ROWS) -> Tensor:
    """Return pictures, uint8 (N,H,W,3), of a bright square each on grey."""
    numbers = generator(0, "pictures")
    found = 100 + 10 * numbers.uniform((count, SIDE, SIDE, 3))
    for number, picture in enumerate(found):
        row, column = divmod(5 * number, SIDE - 3)
        picture[row % (SIDE - 3) :][:3, column : column + 3, number % 3] = 240
    return found.round().to(torch.uint8)
