"""Tiny artefacts of the study of all predictors, of numbers that a test chooses.

Means have wide intervals and differences clip by clip narrow ones, as in `hierarchical_study`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foreframe.artefacts import hdf5
from foreframe.config import study as study_settings
from foreframe.config.sampling import BASELINES
from tests import report_numbers as numbers
from tests.smoke import ROOT
from tests.stages.hierarchical_study import FAR, apart, compiled, ends, settings_of, write
from workflow import preset

NAME = "comparison"
DATA = Path("data") / NAME
CODED = ("codes", "codes_actions", "transformer")
FRAMED = (
    "conv_lstm",
    "prednet",
    "srnn",
    "vrnn",
    "rfn",
    "svg",
    "hierarchical",
    "glow",
    "feature_flow",
)
CERTAIN = ("conv_lstm", "prednet")
DATASETS = ("road", "digits")
CODES = {  # the models of codes of a data set, and the ends of their priors' names
    "road": {"codes": "road", "codes_actions": "actions", "transformer": "transformer"},
    "digits": {"codes": "digits", "transformer": "transformer_digits"},
}
RULE = 20.0  # the PSNR of every rule without a network

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Numbers of all rows, the same on both data sets.

    Attributes:
        psnr: of forecasts, in dB; SSIM is a fortieth of it, and of futures both are a little less.
        distance: of whole sets of futures.
        kinds: of the likelihood of frames; rows that are not named have none. Those of digits are
            the same unless they are given.
        bits: for each value of a frame, of all rows that have a likelihood.
        gap: bits that the transformer needs more than PixelSNAIL for a code of the top level.
        width: half of an interval that a verdict should follow; None if there are none.
    """

    psnr: Mapping[str, float]
    distance: Mapping[str, float]
    kinds: Mapping[str, str]
    gap: float
    width: float | None = 0.001
    bits: float = 3.0
    kinds_of_digits: Mapping[str, str] | None = None

    def other(self, **changes: Any) -> "World":
        """Return the world with changes."""
        return replace(self, **changes)


def page(folder: Path, world: World) -> str:
    """Return the report on a world as HTML, its pictures blank."""
    data = folder / DATA
    chosen = settings_of(folder, NAME, "laptop")
    for section in ("autoencoders", "priors", "predictors"):
        for run in chosen[section]:
            _training(data / section / f"{run}.json")
    for name in DATASETS:
        for row in rows(name):
            _samples(data / f"samples/{run_of(row, name)}/{name}.h5", row)
            scores = _evaluation(name, row, world)
            write(data / f"evaluations/{run_of(row, name)}/{name}.json", "evaluation", scores)
        write(data / f"pairs/{name}.json", "pairs", _pairs(name, world))
        for row in CODES[name]:
            if row != "codes_actions":  # is not asked without its actions
                bits = 2.0 + (world.gap if row == "transformer" else 0.0)
                write(data / f"{run_of(row, name)}/models.json", "models", _models(bits))
    return compiled(folder, NAME, "comparison.bib")


def settings() -> dict[str, Any]:
    """Return the whole settings of the study at the scale of the laptop."""
    base = preset.values("laptop", ROOT / "studies/driving/presets")
    found = preset.values("laptop", ROOT / "studies" / NAME / "presets")
    return dict(study_settings.resolve(found, "laptop", base).sections)


def rows(data: str) -> tuple[str, ...]:
    """Return the rows of a data set, in the order of tables."""
    return (*(row for row in CODED if row in CODES[data]), *FRAMED)


def run_of(row: str, data: str) -> str:
    """Return the run of a row on a data set."""
    return row if data == "road" else f"{row}_digits"


def ways(row: str) -> tuple[str, str]:
    """Return how a row's futures and its forecasts are called."""
    return ("certain", "certain") if row in CERTAIN else ("sampled", "averaged")


def _training(path: Path) -> None:
    course = {"epoch": 1, "step": 10, "samples": 400}
    content = {
        "parameters": 1000,
        "steps": 10,
        "samples": 400,
        "flops_per_clip": 10**10,
        "environment": numbers.ENVIRONMENT,
        "windows": {"train": 200, "validation": 4, "test": 4},
        "curve": [{**course, "loss": 1.0}],
        "epochs": {
            key: [value] for key, value in {**course, "train_loss": 1, "validation_loss": 1}.items()
        },
    }
    write(path, "training", content)


def _samples(path: Path, row: str) -> None:
    path.parent.mkdir(parents=True)
    if row in CODED:
        operations: Row = {"top": numbers.COST, "bottom": numbers.COST}
    else:
        operations = {"frames": {"given": 10**9, "start": 0, "frame": 10**8}}
    attributes = {"context": 8, "horizon": 8, "operations": json.dumps(operations)}
    with hdf5.creating(path, "samples", attributes):
        pass


def _values(row: str, world: World) -> dict[str, dict[str, float]]:
    """Return PSNR and SSIM of futures and of forecasts, by how they are called."""
    future, forecast = ways(row)
    psnr = {future: world.psnr[row] - 0.5} | {forecast: world.psnr[row]}
    return {name: {"psnr": value, "ssim": value / 40} for name, value in psnr.items()}


def _evaluation(data: str, row: str, world: World) -> Row:
    found = numbers.evaluation()
    del found["likelihood"]
    kinds = (world.kinds_of_digits if data == "digits" else None) or world.kinds
    if row in kinds:
        found["likelihood"] = {"kind": kinds[row], "samples": 20, "bits": world.bits}
        found["likelihood"] |= {"low": 2.9, "high": 3.1}
    values = _values(row, world) | {name: {"psnr": RULE, "ssim": RULE / 40} for name in BASELINES}
    far = None if world.width is None else FAR
    predictors: dict[str, Row] = {
        name: {metric: {**ends(value, far), "std": 0.25} for metric, value in each.items()}
        for name, each in values.items()
    }
    distance = {"std": None, "repeats": 1, "few": False}
    future, forecast = ways(row)
    predictors[future]["random_video_distance"] = ends(world.distance[row], world.width) | distance
    table: Row = {"predictor": [], "frame": [], "sharpness_ratio": [], "motion_ratio": []}
    for name in predictors:
        for column, cell in zip(table, (name, 1, 0.9, 0.8), strict=True):
            table[column].append(cell)
    states = {name: {"speed": ends(2.0, far)} for name in ("true_frames", *predictors)}
    return found | {
        "name": data,
        "reference": dict.fromkeys(("psnr", "ssim"), BASELINES[0]),
        "predictors": predictors,
        "differences": {
            name: {
                metric: {**ends(value - values[BASELINES[0]][metric], world.width), "won": 0.5}
                for metric, value in values[name].items()
            }
            for name in (future, forecast)
        },
        "states": states if data == "road" else {},
        "per_frame": table,
    }


def _pairs(data: str, world: World) -> Row:
    values = {
        f"{run_of(row, data)}/{name}": each
        for row in rows(data)
        for name, each in _values(row, world).items()
    }
    return {"name": data, "clips": 3, "differences": apart(values, world.width)}


def _models(bits: float) -> Row:
    found = numbers.models()
    found["priors"]["top"]["bits"]["test"] = bits
    found["priors"]["bottom"]["bits"]["test"] = 2.0
    return found
