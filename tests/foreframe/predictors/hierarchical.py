"""A small hierarchical VRNN for tests, and what changes it into the capacity ladder's."""

from typing import Any

import torch

from foreframe.config.training import Ramp
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.data.views import View
from foreframe.models import Shape
from foreframe.networks.residual_frames import SilentNorm
from foreframe.predictors.hierarchical_vrnn import HierarchicalVRNN, Settings, build
from foreframe.predictors.learned import Given
from foreframe.randomness import generator
from tests.foreframe.training.games import plan

ROWS, CONTEXT, FRAMES = 16, 2, 5


def view(**changes: Any) -> View:
    known: dict[str, Any] = {
        "of": "frames",
        "frames": FRAMES,
        "train_stride": 1,
        "evaluation_stride": 1,
        "channels": "colour",
        "scaling": "unit",
        "bits": 8,
        "dequantise": False,
    }
    return View(**(known | changes))


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {
        "kind": "hierarchical_vrnn",
        "view": view(),
        "actions": "none",
        "labels": (),
        "kl_weight": Ramp(first=0.0, last=1.0, begin=0, steps=10, of="run"),
        "free_bits": 0.0,
        "training": plan(),
        "context": CONTEXT,
        "width": 4,
        "latents": (
            {"shrink": "whole", "channels": 3},
            {"shrink": 4, "channels": 4},
            {"shrink": 2, "channels": 2},
        ),
        "dense": True,
        "encoder": "residual",
        "cells": "normalized",
        "decoder_cells": 4,
        "state_widening": 1,
        "likelihood": "laplace",
        "slope": 0.2,
        "groups": 2,
        "state_groups": 2,
        "residual_scale": 0.1,
    }
    return Settings(**(known | changes))


LADDER: dict[str, Any] = {
    "encoder": "strided",
    "cells": "plain",
    "latents": ({"shrink": "whole", "channels": 10},),
}


def model(rows: int = ROWS, columns: int = ROWS, **changes: Any) -> HierarchicalVRNN:
    chosen = settings(**changes)
    channels = chosen.view.colours
    found = build(chosen, Given(Shape(channels, chosen.view.frames, rows, columns), (), {}))
    found.scaling = Scaling(chosen.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return found


def woken(**changes: Any) -> HierarchicalVRNN:
    """Return a model whose latents say something: at the start they are silent."""
    found = model(**changes)
    found.initialize(generator(0, "weights"))
    numbers = generator(0, "awake")
    with torch.no_grad():
        for module in found.modules():
            if isinstance(module, SilentNorm):
                module.weight.copy_(numbers.normal(module.weight.shape))
    return found.eval()
