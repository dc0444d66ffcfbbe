"""The record of a training, one JSON file beside the weights: facts, learning curve and epochs.

The curve is its only list of records, so that `dvc plots` finds it; the epochs are by column.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from foreframe.artefacts import facts
from foreframe.training.result import Result, table

SCHEMA = "training"
POSITION = ("epoch", "step", "samples")


@dataclass(frozen=True)
class Training:
    """A training as its record tells of it; the tables are those of `Result`."""

    facts: dict[str, Any]
    curve: pandas.DataFrame
    epochs: pandas.DataFrame


def write(
    path: Path,
    result: Result,
    parameters: int,
    environment: dict[str, Any],
    more: dict[str, Any],
) -> None:
    """Write a training's record.

    It holds: parameters (numbers trained by gradient), steps, samples, environment, final (the last
    epoch's training means and validation values, null for what is no finite number),
    diverged_at_step and best_step (see `Result`), curve, epochs, and whatever `more` adds.
    """
    epochs = _gaps_as_none(result.epochs)
    values = {
        "parameters": parameters,
        "steps": result.steps,
        "samples": result.samples,
        "environment": environment,
        "final": {name: epochs[name].iloc[-1] for name in epochs if name not in POSITION},
        "diverged_at_step": result.diverged_at,
        "best_step": result.best_step,
        "curve": _gaps_as_none(result.curve).to_dict("records"),
        "epochs": epochs.to_dict("list"),
        **more,
    }
    facts.write(path, SCHEMA, values)


def read(path: Path) -> Training:
    """Read a training's record.

    Raises:
        ArtefactError: the file is missing, damaged, or of another schema or version.
    """
    content = facts.read(path, SCHEMA)
    curve, epochs = content.pop("curve"), content.pop("epochs")
    rows = [dict(zip(epochs, row, strict=True)) for row in zip(*epochs.values(), strict=True)]
    return Training(content, table(curve), table(rows))


def _gaps_as_none(values: pandas.DataFrame) -> pandas.DataFrame:
    return values.astype(object).where(values.notna(), None)
