"""Small cascades, and clips that they learn from: two sizes of a moving square."""

from typing import Any

import torch
from torch import Tensor

from foreframe.config.training import Plan
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.models import Shape
from foreframe.networks.video_critics import CriticSettings
from foreframe.networks.video_gan import GeneratorSettings
from foreframe.predictors import Context
from foreframe.predictors.cascade import Cascade, Clips, Recalibration, Settings, build
from foreframe.predictors.cascade_levels import Level, players
from foreframe.predictors.learned import Given
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from tests.foreframe.predictors import moving
from tests.foreframe.training.games import adam, phase, plan

FRAMES, SIDE, NOISE = 8, 16, 3
WHOLE = Clips(temperature=1.0, clips="whole")
WINDOW = Clips(temperature=1.0, clips="window")
CLASSES = ("left", "right", "still")


def net(*multipliers: int, **changes: Any) -> GeneratorSettings:
    known: dict[str, Any] = {"grid": 4, "channels": 3, "temporal": "separable"}
    return GeneratorSettings(**(known | {"multipliers": multipliers} | changes))


def critic(*multipliers: int, **changes: Any) -> CriticSettings:
    known: dict[str, Any] = {"channels": 4, "frames": 2, "matching": False}
    return CriticSettings(**(known | {"multipliers": multipliers} | changes))


def level(**changes: Any) -> Level:
    known: dict[str, Any] = {"every": 1, "size": SIDE, "window": None}
    return Level(**(known | {"generator": net(2, 1), "critic": critic(1, 2)} | changes))


def first(**changes: Any) -> Level:
    """Return a level of every second frame at half the size: 4 of 8 rows."""
    known = {"every": 2, "size": SIDE // 2, "generator": net(2, 1, temporal="gru")}
    return level(**(known | changes))


def second(**changes: Any) -> Level:
    """Return a level of all frames, trained on 2 frames of the first."""
    return level(**({"window": 2, "critic": critic(1, 2, matching=True)} | changes))


def game_plan(levels: int, steps: int = 3, batch: int = 4, **changes: Any) -> Plan:
    names = [players(place) for place in range(levels)]
    generating = adam(learning_rate=changes.pop("rate", 2e-3), betas=(0.0, 0.999))
    judging = adam(learning_rate=5 * generating.learning_rate, betas=(0.0, 0.999))
    known: dict[str, Any] = {
        "phases": tuple(phase(steps=steps, batch_size=batch, players=pair) for pair in names),
        "players": {
            name: each
            for pair in names
            for name, each in zip(pair, (generating, judging), strict=True)
        },
        "log_every": 1,
    }
    return plan(**(known | changes))


def settings(*levels: Level, **changes: Any) -> Settings:
    chosen = levels or (first(), second())
    known: dict[str, Any] = {
        "noise": NOISE,
        "class_width": None,
        "levels": chosen,
        "recalibration": Recalibration(passes=3, rows=4),
        "training": game_plan(len(chosen)),
        "view": moving.view(frames=FRAMES, scaling="symmetric"),
    }
    return Settings(**moving.common("cascade", **(known | changes)))


def given(labels: tuple[str, ...] = (), rows: int = SIDE, frames: int = FRAMES) -> Given:
    return Given(Shape(1, frames, rows, rows), (), dict.fromkeys(labels, CLASSES))


def told(*levels: Level, **changes: Any) -> Settings:
    """Return settings of a cascade that is told classes."""
    return settings(*levels, **({"labels": ("way",), "class_width": 2} | changes))


def model(*levels: Level, **changes: Any) -> Cascade:
    return ready(settings(*levels, **changes))


def ready(chosen: Settings) -> Cascade:
    """Return a cascade whose statistics are drawn too."""
    built = build(chosen, given(chosen.labels))
    moving.drawn(built)
    return scaled(built)


def fresh(chosen: Settings) -> Cascade:
    """Return a cascade as a training begins with it."""
    built = build(chosen, given(chosen.labels))
    built.initialize(generator(0, "weights"))
    return scaled(built)


def scaled(built: Cascade) -> Cascade:
    built.scaling = Scaling(built.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return built


def nothing(numbers: tuple[int, ...] = (3, 4), **labels: Tensor) -> Context:
    """Return a context of no frames."""
    empty = torch.empty(len(numbers), 0, SIDE, SIDE, 3, dtype=torch.uint8)
    return Context(empty, numbers, labels=labels)


def clips(count: int = 4) -> Tensor:
    """Return clips (B,1,T,H,W) of a square that moves, from -1 to 1."""
    return 2 * moving.clips(count, FRAMES, SIDE) - 1


def moment(place: int = 0, step: int = 0) -> Moment:
    """Return a step in the phase of a level."""
    return Moment(step, 9, place, step, 9, generator(0, "step", step))
