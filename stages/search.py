"""Stage search: random search over the autoencoder's settings (Xu 2022, 5.1 and Table 5.1).

Optuna keeps the trials and picks the best, by the validation loss after the last epoch; what a
trial tries is a function of the seed and its number alone. Its storage is in memory: it would note
dates, and a search that was killed goes on from its own checkpoints.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import optuna
import torch
from optuna.trial import TrialState

from foreframe import autoencoders
from foreframe.artefacts import facts, tables
from foreframe.autoencoders import AutoencoderSettings
from foreframe.config.compute import Compute
from foreframe.config.search import Search, nested
from foreframe.errors import UserError
from foreframe.kinds import Kind
from foreframe.models import Shape, learning
from foreframe.running import compute as computing
from foreframe.running import stage
from foreframe.search import drawing, summary
from foreframe.search import trials as trial_runs
from foreframe.search.trials import Outcome, Setting
from foreframe.training.checkpoints import checkpoints

NAME = "search"


def explore(
    study: optuna.Study,
    search: Search,
    candidates: Sequence[AutoencoderSettings],
    setting: Setting,
    folder: Path,
) -> list[Outcome]:
    """Run every trial and tell the study what came of it."""
    outcomes = []
    for settings in candidates:
        trial = study.ask(drawing.distributions(search))
        outcome = trial_runs.run(trial.number, settings, setting, folder)
        state = TrialState.COMPLETE if outcome.loss is not None else TrialState.FAIL
        study.tell(trial, outcome.loss, state)
        outcomes.append(outcome)
    return outcomes


def best_of(study: optuna.Study) -> optuna.trial.FrozenTrial:
    """Return the finished trial with the lowest validation loss.

    Raises:
        UserError: no trial finished.
    """
    if not any(trial.state == TrialState.COMPLETE for trial in study.trials):
        raise UserError(
            f"{NAME}: none of {len(study.trials)} trials finished: each diverged or ran out of "
            "memory. Search over smaller learning rates, widths or batches."
        )
    return study.best_trial


def cost_of(settings: AutoencoderSettings, shape: Shape) -> dict[str, int]:
    """Return what a trial's autoencoder costs: trained numbers, and operations for each clip."""
    with torch.device("meta"):
        model = autoencoders.build(settings, shape)
    return {"parameters": model.trainable(), "flops_per_clip": autoencoders.operations(model)}


def described(
    search: Search,
    base: AutoencoderSettings,
    best: optuna.trial.FrozenTrial,
    table: Any,
    seed: int,
) -> dict[str, Any]:
    """Return what the facts say besides the environment and the checksums of the tables."""
    ranges = search.ranges()
    chosen = trial_runs.settings_of(base, nested(best.params), where=f"{NAME}: the best trial")
    return {
        "space": {name: dataclasses.asdict(ranges[name]) for name in ranges},
        "changes": search.changes,
        "train_every": search.train_every,
        "trials": len(table),
        "failed": int((table["ending"] != trial_runs.FINISHED).sum()),
        "best_trial": best.number,
        "best_values": best.params,
        "lowest_loss": best.value,
        "highest_loss": float(table["validation_loss"].max()),
        "autoencoder": chosen.model_dump(mode="json"),
        "correlations": summary.correlations(search, table, seed),
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    autoencoder: Annotated[AutoencoderSettings, Kind(autoencoders.PACKAGE)],
    search: Search,
    seed: int,
    compute: Compute,
    trials: Path,
    curves: Path,
    epochs: Path,
    found: Path,
) -> None:
    """Train every trial on a share of the training clips, and validate on the validation clips.

    `trials` is a table with a row for each trial; `curves` and `epochs` hold the learning curves of
    all; `found` the best trial, and under `autoencoder` its settings as a section of params.yaml.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    device = computing.prepare(compute)
    environment = computing.environment(device, compute)
    files = learning.Files(frames, split, normalization)
    values = [drawing.values_of(search, seed, number) for number in range(search.trials)]
    candidates = [
        trial_runs.candidate(autoencoder, search, tried, number)
        for number, tried in enumerate(values)
    ]
    sections = {"autoencoder": autoencoder, "search": search}
    settings = {name: section.model_dump(mode="json") for name, section in sections.items()}
    code = [f"stages.{NAME}", f"{autoencoders.PACKAGE}.{autoencoder.kind}"]
    study = optuna.create_study(sampler=drawing.Sampler(seed))
    run = {**settings, "seed": seed, **environment}
    with (
        learning.opening(autoencoder.view, files) as lesson,
        checkpoints(NAME, files.all, run, code) as kept,
    ):
        setting = Setting(files, search.train_every, seed, compute, device)
        outcomes = explore(study, search, candidates, setting, kept.folder)
        costs = [cost_of(settings, lesson.shape) for settings in candidates]
        (phase,) = autoencoder.training.plan().phases
        table = summary.table(values, outcomes, costs)
        content = described(search, autoencoder, best_of(study), table, seed)
        content |= {
            "train_clips": lesson.clips("train", search.train_every)(phase).count,
            "environment": environment,
            "trials_checksum": tables.write(trials, table),
            "curves_checksum": tables.write(curves, summary.long([o.curve for o in outcomes])),
            "epochs_checksum": tables.write(epochs, summary.long([o.epochs for o in outcomes])),
        }
        facts.write(found, NAME, content)


if __name__ == "__main__":
    stage.run(main)
