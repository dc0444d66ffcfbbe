"""Predictors of several evaluations or analyses against each other, clip by clip.

Two evaluations of one protocol have the same clips in the same order, so what makes a clip hard for
both predictors cancels, and their difference is known better than either value.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe.artefacts import facts
from foreframe.config.sampling import BASELINES
from foreframe.errors import ArtefactError, UserError
from foreframe.evaluation.drawing import BOUND
from foreframe.evaluation.protocol import Protocol, difference
from foreframe.evaluation.statistics import paired, won
from foreframe.metrics.frames import Better

SCHEMA = "pairs"
SEED = 0  # of the resampled clips, as in evaluations

Facts = Mapping[str, Any]  # of an evaluation
Clips = dict[str, Tensor]  # row -> one value a clip, float64 (n,)


def alike(protocols: Sequence[tuple[Path, Protocol]]) -> None:
    """Refuse evaluations of different protocols.

    Raises:
        UserError: two differ; the message names the fields.
    """
    (path, first), *rest = protocols
    for other, protocol in rest:
        if fields := difference(first, protocol):
            raise UserError(
                f"{path} and {other} follow different protocols: they differ in "
                f"{', '.join(fields)}. Only numbers of one protocol stand in one table."
            )


def compare(evaluations: Mapping[str, tuple[Path, Facts]]) -> dict[str, Any]:
    """Return row -> other row -> metric -> {mean, low, high, won} of the differences, row - other.

    `evaluations` are by run. A row is a run and its way to draw (`srnn/sampled`), or a baseline's
    name, as baselines are the same for all. What was decoded from the true clips is no row.

    Raises:
        ArtefactError: an evaluation has no values by clip, or a baseline is not the same in two.
        UserError: no evaluation, or their protocols differ.
    """
    if not evaluations:
        raise UserError("there is no evaluation to compare. Evaluate a predictor first.")
    alike([(path, Protocol.of(each["protocol"], f"{path}")) for path, each in evaluations.values()])
    first = next(iter(evaluations.values()))[1]
    rows = {metric: _rows(evaluations, metric) for metric in first["reference"]}
    better = {metric: first["metrics"][metric]["better"] for metric in rows}
    return {
        "name": first["name"],
        "clips": first["clips"],
        "differences": _differences(rows, better),
    }


def compare_analyses(name: str, analyses: Mapping[str, tuple[Path, Facts]]) -> dict[str, Any]:
    """Return what `compare` does of one analysis of several predictors; a row is a run.

    Raises:
        UserError: no analysis has values by clip, or two are not of the same clips.
    """
    known = {run: each for run, each in analyses.items() if each[1].get("per_clip")}
    if not known:
        raise UserError(
            f"no analysis {name} has values by clip to compare. Choose a kind that has them, as "
            "one_step, and analyse a predictor first."
        )
    path, first = next(iter(known.values()))
    for other, each in known.values():
        if each["about"]["of"] != first["about"]["of"]:
            raise UserError(f"{path} and {other} are not of the same clips: analyse them again.")
    rows = {
        value: {
            run: torch.tensor(each["per_clip"][value], dtype=torch.float64)
            for run, (_, each) in known.items()
        }
        for value in first["per_clip"]
    }
    clips = first["about"]["clips"]
    differences = _differences(rows, dict.fromkeys(rows, "lower"))
    return {"name": name, "clips": clips, "differences": differences}


def _differences(rows: Mapping[str, Clips], better: Mapping[str, Better]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric, values in rows.items():
        for one, other in combinations(values, 2):
            ends = paired(values[one], values[other], SEED)
            share = won(values[one], values[other], better[metric])
            there = {"mean": ends.mean, "low": ends.low, "high": ends.high, "won": share}
            found.setdefault(one, {}).setdefault(other, {})[metric] = there
            found.setdefault(other, {}).setdefault(one, {})[metric] = _turned(there)
    return found


def _rows(evaluations: Mapping[str, tuple[Path, Facts]], metric: str) -> Clips:
    """Return the rows in the order of the runs, the baselines first."""
    rows: dict[str, tuple[Path, list[float]]] = {}
    for run, (path, found) in evaluations.items():
        for name, values in _by_clip(path, found, metric):
            row = name if name in BASELINES else f"{run}/{name}"
            known = rows.setdefault(row, (path, values))
            if known[1] != values:
                raise ArtefactError(
                    f"{known[0]} and {path} do not agree on {name}, which no model touches. "
                    f"{facts.CURE}"
                )
    ordered = sorted(rows, key=lambda row: row not in BASELINES)
    return {row: torch.tensor(rows[row][1], dtype=torch.float64) for row in ordered}


def _by_clip(path: Path, found: Facts, metric: str) -> Iterator[tuple[str, list[float]]]:
    if "per_clip" not in found:
        raise ArtefactError(f"{path} has no values by clip. {facts.CURE}")
    for name, values in found["per_clip"].items():
        if name != BOUND:
            yield name, values[metric]


def _turned(there: dict[str, Any]) -> dict[str, Any]:
    """Return the same difference the other way round."""
    low, high = there["low"], there["high"]
    return {
        "mean": -there["mean"],
        "low": None if high is None else -high,
        "high": None if low is None else -low,
        "won": 1 - there["won"],
    }
