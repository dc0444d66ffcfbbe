"""The numbers and words of the replication report that are not in one artefact already."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy

from foreframe.report import values
from foreframe.report.replication import costs
from foreframe.report.replication.study import Replication
from foreframe.report.study import Training

# Autoencoders in the order of tables: those of full length, then those that were trained briefly.
COMPARED = (
    "autoencoder",
    "searched",
    "joint",
    "reference",
    "plain",
    "heavy_dropout",
    "kernel_333",
    "normal_codebook",
    "diverse",
)


def of(replication: Replication) -> dict[str, Any]:
    """Return everything the Typst source reads from its own file of numbers."""
    settings = _settings(replication)
    return {
        "title": replication.settings["report"]["title"],
        "author": replication.settings["report"]["author"],
        "artefacts": [artefact.facts() for artefact in replication.artefacts.values()],
        "runs": {name: _run(training) for name, training in replication.trainings.items()},
        "settings": settings,
        "changes": _changes(replication, settings),
        "dense_stride": replication.variants["latents"]["dense"]["train_stride"],
        "cost": [
            costs.of_search(replication.trials, replication.settings["search"]),
            *costs.rows(replication.trainings, settings),
        ],
        "compared_order": list(COMPARED),
        "compared": {
            data: {_name(path): found for path, found in comparison["autoencoders"].items()}
            for data, comparison in replication.comparisons.items()
        },
        "comparison_protocols": {
            data: comparison["protocol_digest"]
            for data, comparison in replication.comparisons.items()
        },
        "predicted": {
            run: {
                "predictors": evaluation["predictors"],
                "differences": evaluation["differences"],
                "protocol_digest": evaluation["protocol_digest"],
                "context_encoding": evaluation["protocol"]["context_encoding"],
            }
            for run, evaluation in replication.evaluations.items()
        },
        "parameters": {
            name: values.as_rows(section) for name, section in replication.settings.items()
        },
    }


def _run(training: Training) -> dict[str, Any]:
    """Return what tables say of one training run; a run that diverged ends early."""
    epochs, found = training.epochs, training.facts
    best = int(numpy.argmin(epochs["validation_loss"])) if len(epochs) else None
    last = epochs.iloc[-1] if len(epochs) else None
    return {
        "parameters": found["parameters"],
        "steps": found["steps"],
        "samples": found["samples"],
        "flops_per_clip": found.get("flops_per_clip"),
        "epochs": len(epochs),
        "train": None if last is None else float(last["train_loss"]),
        "validation": None if last is None else float(last["validation_loss"]),
        "best_epoch": None if best is None else best + 1,
        "highest_loss": float(training.curve["loss"].max()),
        "first_loss": float(training.curve["loss"].iloc[0]),
        "diverged_at_step": found.get("diverged_at_step"),
    }


def _settings(replication: Replication) -> dict[str, Any]:
    """Return every run's own settings, whole."""
    main = replication.main.settings
    variants = replication.variants
    found: dict[str, Any] = {"autoencoder": main["autoencoder"], **main["priors"]}
    found |= {**variants["autoencoders"], **variants["priors"]}
    found["searched"] = replication.search["autoencoder"]
    # The autoencoder of the further data is trained like the one it is compared with.
    found["diverse"] = found["reference"]
    found["joint"] = replication.settings["finetune"]
    return found


def _name(path: str) -> str:
    """Return the run that a file of weights is of; all of the joint run lie in its folder."""
    file = Path(path)
    return file.parent.name if file.parent.name == "joint" else file.stem


def _changes(replication: Replication, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return, for every variant, the values in which it differs from the main study's run."""
    main, study = replication.main.settings, replication.settings
    bases: dict[str, Any] = dict.fromkeys(study["autoencoders"], main["autoencoder"])
    bases["searched"] = main["autoencoder"]
    bases |= {name: main["priors"][each["like"]] for name, each in study["priors"].items()}
    return {name: _changed(base, settings[name]) for name, base in bases.items()}


def _changed(base: Mapping[str, Any], variant: Mapping[str, Any]) -> dict[str, str]:
    theirs = dict(values.as_rows(base))
    return {key: value for key, value in values.as_rows(variant) if theirs.get(key) != value}
