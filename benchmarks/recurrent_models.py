"""Untrained predictors that go frame by frame, at the sizes of a laptop, and their training step.

Shapes: B clips, C channels, T frames, H rows, W columns.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe import kinds
from foreframe.config.compute import Compute
from foreframe.config.training import MODEL, Adam
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.models import Shape
from foreframe.predictors.learned import PACKAGE, ROLE, Given
from foreframe.predictors.recurrent import Recurrent
from foreframe.randomness import generator
from foreframe.running import compute
from foreframe.training.objective import Moment
from foreframe.training.optimization import Mover

ROWS, FRAMES, BATCH = 32, 10, 16
STEPS = 100
CPU = torch.device("cpu")

ADAM: dict[str, Any] = {"kind": "adam", "learning_rate": 1e-3, "betas": (0.9, 0.999)}
ADAM |= {"epsilon": 1e-8, "weight_decay": 0.0, "clip": None}
ADAM |= {"schedule": "constant", "warmup_steps": 0}
PHASE: dict[str, Any] = {"steps": STEPS, "epochs": None, "batch_size": BATCH, "frames": None}
PHASE |= {"players": None, "restart_optimizers": False}
PLAN: dict[str, Any] = {"phases": (PHASE,), "players": {MODEL: ADAM}, "average": None}
PLAN |= {"validate_every": None, "judge": None, "patience": None, "diverging": "stop", "shards": 1}
PLAN |= {"log_every": 10}

LATENTS: dict[str, Any] = {"free_bits": 0.0}
LATENTS["kl_weight"] = {"first": 1e-6, "last": 1.0, "begin": 0, "steps": 200, "of": "run"}
CHAIN: dict[str, Any] = {"smoothing": True, "residual_posterior": False, "overshooting": 1}
CHAIN["prior_chain"] = "posterior"

CONVOLUTIONAL: dict[str, Any] = {
    **LATENTS,
    "scaling": "symmetric",
    "output": {"kind": "mixture_of_logistics", "mixtures": 5},
    "latent_dim": 15,
    "features": (16, 32, 48),
    "latent_features": 32,
    "hidden": 48,
    "trunk": 48,
    "heads": (64, 32),
    "decoder": (64, 48, 32, 32, 24),
}
KINDS: dict[str, dict[str, Any]] = {
    "rfn": {
        **LATENTS,
        **CHAIN,
        "scaling": "centred",
        "dequantise": True,
        "levels": 3,
        "steps": 4,
        "coupling_width": 32,
        "extractor": "vgg",
        "widths": (16, 32, 64),
        "conditioning": (8, 16, 32),
        "skips": "conditioning",
        "hidden": 48,
        "latent": 3,
        "latent_network": (48, 32),
        "base_width": 64,
        "base_deviation": "softplus",
        "memory": "stored",
    },
    "srnn": {**CONVOLUTIONAL, **CHAIN},
    "vrnn": CONVOLUTIONAL,
    "svg": {
        **LATENTS,
        "backbone": "dcgan",
        "width": 32,
        "features": 64,
        "hidden": 128,
        "predictor_layers": 2,
        "latent_layers": 1,
        "latent_dim": 10,
        "context": 5,
    },
    "hierarchical_vrnn": {
        **LATENTS,
        "context": 2,
        "width": 8,
        "latents": (
            {"shrink": "whole", "channels": 32},
            {"shrink": 8, "channels": 32},
            {"shrink": 2, "channels": 16},
        ),
        "dense": True,
        "encoder": "residual",
        "cells": "normalized",
        "decoder_cells": 5,
        "state_widening": 1,
        "likelihood": "laplace",
        "slope": 0.2,
        "groups": 4,
        "state_groups": 8,
        "residual_scale": 0.1,
    },
    "prednet": {"widths": (8, 16, 32), "errors": "all"},
    "conv_lstm_autoencoder": {
        "features": (16, 32, 48),
        "hidden": 48,
        "decoder": (64, 48, 32, 32, 24),
        "error": "squared",
    },
}


def prepare(threads: int) -> None:
    """Let this process compute as a stage does."""
    settings = Compute(device="cpu", instructions="portable", threads=threads, precision="float32")
    compute.prepare(settings)


def build(kind: str, rows: int = ROWS, **changes: Any) -> Recurrent[Any]:
    """Return a predictor of grey clips, without weights that mean anything."""
    chosen = {"scaling": "unit", "dequantise": False, **KINDS[kind], **changes}
    view = {name: chosen.pop(name) for name in ("scaling", "dequantise")}
    view |= {"of": "frames", "frames": FRAMES, "train_stride": 1, "evaluation_stride": 1}
    view |= {"channels": "grey", "bits": 8}
    common = {"kind": kind, "view": view, "actions": "none", "labels": (), "training": PLAN}
    settings = kinds.find(PACKAGE, kind).Settings.model_validate(common | chosen)
    found = ROLE.build(settings, Given(Shape(1, FRAMES, rows, rows), (), {}))
    assert isinstance(found, Recurrent)
    found.scaling = Scaling(settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return found


def predictor(kind: str, rows: int = ROWS, **changes: Any) -> Recurrent[Any]:
    """Return a predictor of grey clips with its starting weights."""
    found = build(kind, rows, **changes)
    found.initialize(generator(0, "benchmark", kind))
    return found


def clips(model: Recurrent[Any], count: int) -> dict[str, Tensor]:
    """Return a batch of clips of noise as a predictor takes them."""
    shape = model.given.shape
    size = (count, shape.frames, shape.height, shape.width, 1)
    grey = generator(0, "clips").integers(0, 256, size).to(torch.uint8)
    frames_BTHWC = grey.expand(-1, -1, -1, -1, 3)
    return {"x": model.scaling.inward(frames_BTHWC, generator(0, "dequantise"))}


class Lesson:
    """The training step of a predictor, as the loop takes it, on one batch.

    Attributes:
        operations: floating-point operations of a forward pass; a multiply-add is two.
        weights: how many there are.
    """

    def __init__(self, model: Recurrent[Any], batch: int) -> None:
        self._objective = model.objective()
        self._mover = Mover(Adam.model_validate(ADAM))
        self._mover.take(self._objective.players[0].weights(), restart=False)
        self._batch = clips(model, batch)
        model.train()
        with torch.no_grad():
            self._objective.start(self._batch, self._moment(0))
        self._step = 0
        self.operations = self._counted()
        self.weights = model.trainable()

    def take(self) -> None:
        """Take a step."""
        loss = self._losses()["loss"]
        gradient = self._mover.gradient(loss, again=False)
        norm = self._mover.adopt(gradient)
        self._mover.follow(norm, ADAM["learning_rate"], ADAM["weight_decay"])
        self._step += 1

    def _losses(self) -> Mapping[str, torch.Tensor]:
        turn = self._objective.turns[0]
        return self._objective.losses(self._batch, self._moment(self._step), turn)[MODEL]

    def _counted(self) -> int:
        with FlopCounterMode(display=False) as counter:
            self._losses()
        return int(counter.get_total_flops())

    def _moment(self, step: int) -> Moment:
        return Moment(step, STEPS, 0, step, STEPS, generator(0, "step", step))
