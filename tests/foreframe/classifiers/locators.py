"""Small classifiers of places, with the encoder of a small model with slots.

Shapes: B clips, C = 3 colours, T frames, H rows, W columns.
"""

import json
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from foreframe import classifiers
from foreframe.classifiers import Given
from foreframe.classifiers.snitch import Encoder, Settings, Snitch
from foreframe.models import Shape
from foreframe.randomness import generator
from tests.foreframe.classifiers.small import LABEL
from tests.foreframe.predictors import moving, sliding
from tests.foreframe.training.games import adam, phase, plan

FRAMES, SAMPLED, SIDE, GRID = 6, 4, 8, 2
CLASSES = tuple(f"cell {number}" for number in range(GRID**2))


def encoder(model: Any = None) -> Encoder:
    """Return settings of an encoder as the file of a model holds them."""
    own = model or sliding.model(SIDE)
    return Encoder(
        settings=own.settings.model_dump(mode="json"),
        given=json.loads(json.dumps(asdict(own.given))),
    )


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {
        "kind": "snitch",
        "view": moving.view(channels="colour", frames=FRAMES, train_stride=FRAMES),
        "label": LABEL,
        "training": plan(
            phases=(phase(steps=150, batch_size=16),),
            players={"model": adam(learning_rate=0.004, clip=1.0)},
            log_every=1,
        ),
        "encoder": encoder(),
        "start": "random",
        "moves": True,
        "sampled": SAMPLED,
        "crops": 3,
        "width": 16,
        "layers": 2,
        "heads": 2,
        "ratio": 2,
        "hidden": 16,
        "distance": 1.0,
        "masked": 0.001,
    }
    return Settings(**(known | changes))


def given(side: int = SIDE, **changes: Any) -> Given:
    return Given(Shape(3, FRAMES, side, side), changes.get("classes", CLASSES))


def model(**changes: Any) -> Snitch:
    built = classifiers.ROLE.build(settings(**changes), given())
    assert isinstance(built, Snitch)
    built.initialize(generator(0, "weights"))
    return built


def clips(count: int = 32) -> tuple[Tensor, Tensor]:
    """Return clips (B,C,T,H,W) of a square that goes about and ends in a quarter, and this (B,).

    It is the last frame that tells.
    """
    numbers = generator(0, "quarters")
    cells_BT = numbers.integers(0, len(CLASSES), (count, FRAMES))
    x_BCTHW = torch.zeros(count, 3, FRAMES, SIDE, SIDE)
    half = SIDE // 2
    for x_CTHW, cells in zip(x_BCTHW, cells_BT.tolist(), strict=True):
        for time, cell in enumerate(cells):
            row, column = half * (cell // GRID), half * (cell % GRID)
            x_CTHW[:, time, row : row + half, column : column + half] = 1.0
    return x_BCTHW, cells_BT[:, -1]
