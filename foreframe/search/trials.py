"""One trial of a search: an autoencoder of drawn settings, trained briefly, and what came of it.

A trial that diverges or that runs out of memory is a result like any other: it is noted, and the
search goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
import torch

from foreframe import autoencoders
from foreframe.artefacts import facts
from foreframe.autoencoders import AutoencoderSettings
from foreframe.config import reading
from foreframe.config.compute import Compute
from foreframe.config.search import Search, Value, nested
from foreframe.kinds import find
from foreframe.models import learning
from foreframe.randomness import generator
from foreframe.search.drawing import PURPOSE
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.result import Result
from foreframe.training.step import Run

SCHEMA = "trial"
FINISHED, DIVERGED, OUT_OF_MEMORY = "finished", "diverged", "out of memory"
POSITION = ["epoch", "step", "samples"]
# How torch words it where there is no exception of its own, as on the CPU.
NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


@dataclass(frozen=True)
class Setting:
    """What all trials share: the data, which training clips they take, seed, device, precision."""

    files: learning.Files
    train_every: int
    seed: int
    compute: Compute
    device: torch.device


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    ending: finished, diverged or out of memory; steps: those taken; samples: clips seen in them;
    diverged_at: the step that was not taken, or None; curve: epoch, step, samples and loss, a row
    for each `log_every` steps; epochs: means over each epoch and what was measured after it.
    """

    ending: str
    steps: int
    samples: int
    diverged_at: int | None
    curve: pandas.DataFrame
    epochs: pandas.DataFrame

    @property
    def loss(self) -> float | None:
        """The validation loss after the last epoch; None unless the trial finished."""
        if self.ending != FINISHED:
            return None
        return float(self.epochs["validation_loss"].iloc[-1])


def settings_of(
    base: AutoencoderSettings, *changes: Mapping[str, Any], where: str
) -> AutoencoderSettings:
    """Return settings with some values changed, in this order; `where` is for messages.

    Raises:
        UserError: a change names no setting, or its value does not fit the others.
    """
    content: dict[str, Any] = base.model_dump(mode="json")
    for change in changes:
        content = reading.merged(content, change)
    schema = find(autoencoders.PACKAGE, base.kind).Settings
    settings: AutoencoderSettings = reading.validate(schema, content, where)
    return settings


def candidate(
    base: AutoencoderSettings, search: Search, values: Mapping[str, Value], number: int
) -> AutoencoderSettings:
    """Return the settings that trial `number` trains with; see `settings_of` for errors."""
    record = {"training": {"diverging": "record"}}
    where = f"search: the autoencoder of trial {number}"
    return settings_of(base, search.changes, nested(values), record, where=where)


def run(number: int, settings: AutoencoderSettings, setting: Setting, folder: Path) -> Outcome:
    """Return what comes of a trial; `folder` keeps it, and checkpoints on the way.

    A trial that is there already is not run again.
    """
    path = folder / f"trial-{number:04d}.json"
    if not path.exists():
        with Checkpoints(path.with_suffix("")) as kept:
            facts.write(path, SCHEMA, _tried(number, settings, setting, kept))
    # Read even what was just written: the outcome is the same, to the last byte, after a kill.
    found = facts.read(path, SCHEMA)
    return Outcome(
        found["ending"],
        found["steps"],
        found["samples"],
        found["diverged_at"],
        pandas.DataFrame(found["curve"], columns=[*POSITION, "loss"]),
        pandas.DataFrame(found["epochs"]),
    )


def _tried(
    number: int, settings: AutoencoderSettings, setting: Setting, kept: Checkpoints
) -> dict[str, Any]:
    try:
        result = _train(number, settings, setting, kept)
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        nothing: dict[str, Any] = {
            "steps": 0,
            "samples": 0,
            "diverged_at": None,
            "curve": [],
            "epochs": [],
        }
        return {"ending": OUT_OF_MEMORY, **nothing}
    finite = result.epochs["validation_loss"].notna().all()
    return {
        "ending": FINISHED if result.diverged_at is None and finite else DIVERGED,
        "steps": result.steps,
        "samples": result.samples,
        "diverged_at": result.diverged_at,
        "curve": _rows(result.curve[[*POSITION, "loss"]]),
        "epochs": _rows(result.epochs),
    }


def _train(
    number: int, settings: AutoencoderSettings, setting: Setting, kept: Checkpoints
) -> Result:
    with learning.opening(settings.view, setting.files) as lesson:
        network = autoencoders.build(settings, lesson.shape)
        network.initialize(generator(setting.seed, PURPOSE, number, "weights"))
        return fit(
            lesson.objective(network.objective()),
            lesson.clips("train", setting.train_every),
            lesson.clips("validation"),
            settings.training.plan(),
            Run(setting.seed, f"{PURPOSE} {number}", setting.compute, setting.device, kept),
        )


def _is_memory(error: Exception) -> bool:
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or any(text in str(error).lower() for text in NO_MEMORY)


def _rows(table: pandas.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
