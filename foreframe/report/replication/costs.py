"""What every run cost, in what does not depend on the machine: weights, steps, operations."""

from collections.abc import Mapping
from typing import Any

import pandas

from foreframe.report.study import Training

# A training step takes a forward pass, and a backward one that costs about two.
PASSES = 3


def rows(
    trainings: Mapping[str, Training], settings: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return a row for each run; `settings` are the sections with its `training`, by run.

    A row holds: name, parameters, batch_size, gradient_clip (None: none), epochs (that were begun),
    steps, samples, and operations: floating-point operations of the training, a multiply-add is
    two, None where those of a clip are not known.
    """
    return [_row(name, trainings[name], settings[name]["training"]) for name in trainings]


def of_search(trials: pandas.DataFrame, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a whole search, its trials together; `settings` is its section.

    Besides the keys of `rows`: fewest_parameters and trials; batch_size is None, as it is drawn.
    """
    operations = PASSES * (trials["flops_per_clip"] * trials["samples"]).sum()
    return {
        "name": "search",
        "trials": len(trials),
        "fewest_parameters": int(trials["parameters"].min()),
        "parameters": int(trials["parameters"].max()),
        "batch_size": None,
        "gradient_clip": None,
        "epochs": settings["changes"].get("training", {}).get("epochs"),
        "steps": int(trials["steps"].sum()),
        "samples": int(trials["samples"].sum()),
        "operations": float(operations),
    }


def _row(name: str, training: Training, section: Mapping[str, Any]) -> dict[str, Any]:
    facts = training.facts
    per_clip = facts.get("flops_per_clip")
    return {
        "name": name,
        "parameters": facts["parameters"],
        "batch_size": section["batch_size"],
        "gradient_clip": section["gradient_clip"],
        "epochs": len(training.epochs),
        "steps": facts["steps"],
        "samples": facts["samples"],
        "operations": None if per_clip is None else float(PASSES * per_clip * facts["samples"]),
    }
