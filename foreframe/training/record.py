"""The three files that tell how a network was trained: facts, learning curve, and epochs."""

from pathlib import Path
from typing import Any

import pandas
from torch import nn

from foreframe.artefacts import facts, tables
from foreframe.training.result import Result

POSITION = ("epoch", "step", "samples")


def write(
    result: Result,
    model: nn.Module,
    environment: dict[str, Any],
    more: dict[str, Any],
    *,
    facts_path: Path,
    curve_path: Path,
    epochs_path: Path,
) -> None:
    """Write a training's facts (JSON) and its two tables (CSV).

    The facts hold: parameters (trainable numbers), steps, samples, environment, final (the last
    epoch's training means and validation values, null for what is no finite number),
    diverged_at_step (see `Result.diverged_at`), the checksums of the tables, and whatever `more`
    adds.
    """
    last = result.epochs.iloc[-1].drop(list(POSITION))
    values = {
        "parameters": count_parameters(model),
        "steps": result.steps,
        "samples": result.samples,
        "environment": environment,
        "final": {str(name): _number(value) for name, value in last.items()},
        "diverged_at_step": result.diverged_at,
        "curve_checksum": tables.write(curve_path, result.curve),
        "epochs_checksum": tables.write(epochs_path, result.epochs),
        **more,
    }
    facts.write(facts_path, "training", values)


def _number(value: float | None) -> float | None:
    return None if pandas.isna(value) else float(value)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers of a network are trained by gradient; codebooks are not."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
