"""Codes that can be told apart, and settings of what tells them apart."""

from pathlib import Path
from typing import Any

from torch import Tensor

from foreframe.probing import ProbeSettings
from foreframe.probing.networks import CodeClassifier, Given, fitted
from foreframe.randomness import generator
from foreframe.running.compute import prepare
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.step import Run
from tests.foreframe.training.runs import COMPUTE, training

GRID, CODES, CLASSES = (1, 8, 8), 32, 4
KINDS = ("index_mlp", "index_linear", "index_cnn", "vector_cnn", "vector_linear")
QUICK: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 0.003,
    "weight_decay": 0.0,
    "batch_size": 16,
    "epochs": 15,
    "gradient_clip": None,
    "schedule": "constant",
    "warmup_steps": 0,
}


def settings(kind: str, **changes: Any) -> ProbeSettings:
    values = {"level": "top", "label": "shape", "sets": ("train", "test"), "folds": 3}
    learned = training(**QUICK | changes.pop("training", {}))
    return ProbeSettings(**{**values, "kind": kind, "training": learned, **changes})


def given(kind: str) -> Given:
    """Return what a network is given; vectors lie in an order of their own."""
    vectors = generator(0, "codebook").normal((CODES, 8)) if kind.startswith("vector") else None
    return Given(GRID, CODES, CLASSES, vectors)


def separable(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return codes (N,T,H,W), near an index of their class, and labels (N,)."""
    numbers = generator(seed, "separable")
    labels_N = numbers.integers(0, CLASSES, (count,))
    near_NTHW = numbers.integers(0, CODES // CLASSES, (count, *GRID))
    return labels_N[:, None, None, None] * (CODES // CLASSES) + near_NTHW, labels_N


def fit(folder: Path, kind: str, ids_NTHW: Tensor, labels_N: Tensor) -> CodeClassifier:
    with Checkpoints(folder / "checkpoints") as checkpoints:
        run = Run(0, "probe", COMPUTE, prepare(COMPUTE), checkpoints)
        return fitted(settings(kind), given(kind), ids_NTHW, labels_N, run)
