"""The weights of every cascade of Castrejon et al. 2022, counted layer by layer."""

from typing import Any

import pytest
import torch
from torch import nn

from foreframe.models import Shape
from foreframe.networks.video_critics import CriticSettings
from foreframe.networks.video_gan import GeneratorSettings
from foreframe.predictors.cascade import Cascade, Recalibration, Settings, build
from foreframe.predictors.cascade_levels import Level
from foreframe.predictors.learned import Given
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.cascades import game_plan

NOISE = WIDTH = 128
GRID, COLOURS = 4, 3
FIRST_CRITIC = (128, (2, 4, 8, 16, 16))
CRITIC = (96, (1, 2, 4, 8, 16, 16))
LARGE_CRITIC = (96, (1, 2, 4, 8, 8, 16, 16))


def level(
    every: int,
    size: int,
    generator: tuple[int, tuple[int, ...]],
    critic: tuple[int, tuple[int, ...]],
    **changes: Any,
) -> Level:
    known: dict[str, Any] = {"window": None, "temporal": "separable", "matching": True} | changes
    nets: dict[str, Any] = {
        "generator": GeneratorSettings(
            grid=GRID, channels=generator[0], multipliers=generator[1], temporal=known["temporal"]
        ),
        "critic": CriticSettings(
            channels=critic[0], multipliers=critic[1], frames=6, matching=known["matching"]
        ),
    }
    return Level(every=every, size=size, window=known["window"], **nets)


START: dict[str, Any] = {"temporal": "gru", "matching": False}
SMALL, LARGER = (128, (8, 8, 4, 2)), (128, (8, 8, 8, 4, 2))
UPPER, BDD, BDD_LAST = (128, (8, 8, 4, 2, 1)), (96, (8, 8, 4, 2, 1)), (96, (8, 4, 4, 4, 2, 1))
OF_32, OF_64 = (
    level(2, 32, SMALL, FIRST_CRITIC, **START),
    level(2, 64, LARGER, FIRST_CRITIC, **START),
)

# Frames, classes and levels.
CASCADES: dict[str, tuple[int, int, tuple[Level, ...]]] = {
    "kinetics": (48, 600, (OF_32, level(1, 128, UPPER, CRITIC, window=6))),
    "kinetics, windows of 3": (48, 600, (OF_32, level(1, 128, UPPER, CRITIC, window=3))),
    "kinetics, no matching critic": (
        48, 600, (OF_32, level(1, 128, UPPER, CRITIC, window=3, matching=False)),
    ),
    "kinetics, recurrent": (
        48, 600, (OF_32, level(1, 128, UPPER, CRITIC, window=6, temporal="gru")),
    ),
    "ucf101": (16, 101, (OF_64, level(1, 128, UPPER, CRITIC))),
    "bdd100k": (
        48, 0,
        (
            level(4, 64, LARGER, FIRST_CRITIC, **START),
            level(2, 128, BDD, CRITIC, window=6),
            level(1, 256, BDD_LAST, LARGE_CRITIC, window=6),
        ),
    ),
    "dvd-gan": (48, 600, (level(1, 128, UPPER, CRITIC, **START),)),
}  # fmt: skip


TOTALS = {
    "kinetics": 1_061_658_379,
    "kinetics, windows of 3": 1_061_658_379,
    "kinetics, no matching critic": 973_130_442,
    "kinetics, recurrent": 1_161_936_139,
    "ucf101": 1_154_711_947,
    "bdd100k": 1_443_330_065,
    "dvd-gan": 468_409_029,
}


def made(name: str) -> Cascade:
    frames, classes, levels = CASCADES[name]
    chosen = Settings(
        **moving.common(
            "cascade",
            noise=NOISE,
            class_width=WIDTH if classes else None,
            labels=("action",) if classes else (),
            levels=levels,
            recalibration=Recalibration(passes=200, rows=8),
            training=game_plan(len(levels)),
            view=moving.view(frames=frames, scaling="symmetric", channels="colour"),
        )
    )
    size = levels[-1].size
    known = {"action": tuple(str(each) for each in range(classes))} if classes else {}
    with torch.device("meta"):
        return build(chosen, Given(Shape(COLOURS, frames, size, size), (), known))


def count(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def of_generator(chosen: GeneratorSettings, size: int, classes: int, below: int) -> int:
    condition = NOISE + (WIDTH if classes else 0)

    def norm(width: int) -> int:
        return 2 * condition * width

    widths = [chosen.channels * each for each in chosen.multipliers]
    total, before, side = classes * WIDTH if classes else 0, widths[0], GRID
    total += (condition + 1) * before * GRID**2
    for place, width in enumerate(widths):
        doubles = GRID * 2 ** len(widths) == size or place < len(widths) - 1
        if chosen.temporal == "gru":
            total += 9 * 4 * before**2 + 2 * before + 9 * 2 * before**2 + before
        else:
            total += 2 * norm(before) + 2 * (3 + 9) * before**2 + before
        total += norm(before) + norm(width) + 9 * before * width + 9 * width**2 + width
        total += before * width if before != width else 0
        total += 2 * norm(width) + 2 * 9 * width**2 + width + doubles * width**2
        after = 2 * side if doubles else side
        shown = ((before, side), (width, side), (width, after))
        total += sum(COLOURS * each for each, rows in shown if rows <= below)
        before, side = width, after
    assert side == size
    return total + norm(before) + 9 * before * COLOURS + COLOURS


def of_scores(chosen: CriticSettings, colours: int, side: int, volumes: int, classes: int) -> int:
    total, before = 0, colours
    for place, multiplier in enumerate(chosen.multipliers):
        width, kernel = chosen.channels * multiplier, 27 if place < volumes else 9
        halves = place < len(chosen.multipliers) - 1 and side > 1
        total += kernel * before * width + width + kernel * width**2 + width
        total += before * width if halves or before != width else 0
        before, side = width, side // 2 if halves else side
    return total + before + 1 + classes * before


@pytest.mark.parametrize("name", CASCADES)
def test_the_weights_are_those_of_the_layers(name: str) -> None:
    built, (_, classes, levels), below = made(name), CASCADES[name], 0
    wanted = 0
    for place, each in enumerate(levels):
        generating = of_generator(each.generator, each.size, classes, below)
        judging = [(COLOURS, each.size, 0), (COLOURS, each.size // 2, 2)]
        judging += [(2 * COLOURS, below, 2)] if each.critic.matching else []
        critics = sum(of_scores(each.critic, *shape, classes) for shape in judging)
        assert count(built.generators[place]) == generating
        assert count(built.critics[place]) == critics
        wanted, below = wanted + generating + critics, each.size
    assert built.trainable() == wanted == TOTALS[name]


def test_levels_are_those_of_the_table() -> None:
    """Clips of each level, and what a training example of it is made of and is (2.B.5)."""
    shapes = {
        name: [(each.frames, each.seen, each.example) for each in made(name).shapes]
        for name in ("kinetics", "kinetics, windows of 3", "ucf101", "bdd100k", "dvd-gan")
    }
    assert shapes == {
        "kinetics": [(24, 0, 24), (48, 6, 12)],
        "kinetics, windows of 3": [(24, 0, 24), (48, 3, 6)],
        "ucf101": [(8, 0, 8), (16, 8, 16)],
        "bdd100k": [(12, 0, 12), (24, 6, 12), (48, 6, 12)],
        "dvd-gan": [(48, 0, 48)],
    }
