"""The numbers that the Typst source reads besides the metrics: counts, settings, artefacts.

Typst sets what stands here and computes nothing but rounding and comparisons.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from foreframe.config.report import Report
from foreframe.report.schematics.diagram import Diagram
from foreframe.report.study import LEVELS, Study, Training

# Name, alternative text, roles of artefacts, drawing.
Schematic = tuple[str, str, Sequence[str], Diagram]

MODELS = ("autoencoder", *LEVELS)
COPY, BOUND = "copy_last_frame", "reconstruction"
BASELINES = (COPY, "mean_frame", "linear_motion")


def as_json(values: Mapping[str, Any]) -> str:
    """Return sorted JSON for Typst; NaN and infinity are refused."""
    return json.dumps(values, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)


def clip_shape(study: Study) -> tuple[int, int, int]:
    """Return frames, rows and columns of a clip."""
    frames, height, width = study.rollouts.real.shape[1:4]
    return frames, height, width


def codebook_sizes(study: Study) -> dict[str, int]:
    """Return the number of codes of each level."""
    size = study.settings["autoencoder"]["codebook_size"]
    return {level: int(size) for level in LEVELS}


def of(study: Study, report: Report) -> dict[str, Any]:
    """Return everything that the Typst source needs besides metrics, settings and pictures."""
    clip = clip_shape(study)
    return {
        "title": report.title,
        "author": report.author,
        "artefacts": [artefact.facts() for artefact in study.artefacts.values()],
        "clip": dict(zip(("frames", "height", "width"), clip, strict=True)),
        "context": study.rollouts.context,
        "horizon": clip[0] - study.rollouts.context,
        "data": _data(study),
        "grids": {level: list(grid) for level, grid in study.grids.items()},
        "trainings": {name: _training(study.trainings[name]) for name in MODELS},
        "environments": _environments(study),
        "parameters": {name: as_rows(value) for name, value in _sections(study).items()},
        "choices": list(study.rollouts.futures),
        "predictors": _predictors(study),
        "examples": len(study.examples["original"]),
        "rollouts": len(study.rollouts.real),
        "per_frame": _per_frame(study),
        "operations": study.rollouts.operations,
        "coded": _coded(study),
    }


def compared(study: Study) -> list[str]:
    """Return the predictors that a model makes: the study's choices, then those from elsewhere."""
    found = set(study.evaluation["predictors"]) - {*BASELINES, BOUND}
    choices = list(study.rollouts.futures)
    return [*choices, *sorted(found - set(choices))]


def _predictors(study: Study) -> list[str]:
    """Return every predictor in the order of tables: baselines, models, the bound."""
    found = study.evaluation["predictors"]
    return [name for name in (*BASELINES, *compared(study), BOUND) if name in found]


def _data(study: Study) -> dict[str, Any]:
    frames = int(study.episodes.sum())
    interval = study.frame_interval
    return {
        "frames": frames,
        "episodes": len(study.episodes),
        "minutes": frames * interval / 60,
        "frame_interval": interval,
        "shortest": int(study.episodes.min()),
        "longest": int(study.episodes.max()),
        "mean": study.normalization["mean"],
        "std": study.normalization["std"],
        "sets": {name: _set(study, name, interval) for name in ("train", "validation", "test")},
    }


def _set(study: Study, name: str, interval: float) -> dict[str, Any]:
    runs = study.split[name]
    frames = sum(stop - start for start, stop in runs)
    return {
        "frames": frames,
        "runs": len(runs),
        "minutes": frames * interval / 60,
        "clips": study.split["clips"][name],
    }


def _training(training: Training) -> dict[str, Any]:
    epochs = training.epochs
    best = int(numpy.argmin(epochs["validation_loss"]))
    return {
        "parameters": training.facts["parameters"],
        "steps": training.facts["steps"],
        "samples": training.facts["samples"],
        "epochs": len(epochs),
        "first_validation": float(epochs["validation_loss"].iloc[0]),
        "train": float(epochs["train_loss"].iloc[-1]),
        "validation": float(epochs["validation_loss"].iloc[-1]),
        "best_epoch": best + 1,
        "best_validation": float(epochs["validation_loss"].iloc[best]),
    }


def _environments(study: Study) -> dict[str, Any]:
    """Return for every recorded fact which value each training and the evaluation ran with."""
    sources = {name: study.trainings[name].facts["environment"] for name in MODELS}
    sources["evaluation"] = study.evaluation["environment"]
    names = sorted(set().union(*sources.values()))
    return {
        "columns": list(sources),
        "rows": [
            [name.replace("_", " "), *(_word(source.get(name)) for source in sources.values())]
            for name in names
        ],
    }


def _sections(study: Study) -> dict[str, Any]:
    """Return the settings by section, each prior as a section of its own."""
    sections = {name: value for name, value in study.settings.items() if name != "priors"}
    priors = study.settings["priors"]
    return sections | {f"priors.{level}": priors[level] for level in priors}


def as_rows(value: Any, key: str = "") -> list[list[str]]:
    """Return a section's settings as rows of dotted key and value, in the order of the file."""
    if not isinstance(value, Mapping):
        return [[key, _word(value)]]
    rows = []
    for name, part in value.items():
        rows += as_rows(part, f"{key}.{name}" if key else name)
    return rows


def _word(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _coded(study: Study) -> dict[str, float]:
    """Return the size of a test clip whose codes an entropy coder stores with the priors."""
    priors = study.models["priors"]
    bits = {
        level: math.prod(study.grids[level]) * priors[level]["bits"]["test"] for level in LEVELS
    }
    total = sum(bits.values())
    raw = study.models["compression"]["raw_bits"]
    return {"bits": total, "factor": raw / total, "top_share": bits["top"] / total}


def _per_frame(study: Study) -> dict[str, Any]:
    """Return each predictor's PSNR of every frame, and for how many it leads the baseline."""
    table = study.per_frame
    psnr = {
        str(name): rows.sort_values("frame")["psnr"].tolist()
        for name, rows in table.groupby("predictor", sort=False)
    }
    return {
        name: {
            "first": values[0],
            "last": values[-1],
            "ahead": _leading(values, psnr[COPY]),
        }
        for name, values in psnr.items()
    }


def _leading(values: Sequence[float], baseline: Sequence[float]) -> int:
    """Return for how many frames, from the first without a gap, `values` are the higher."""
    behind = [
        place for place, pair in enumerate(zip(values, baseline, strict=True)) if pair[0] <= pair[1]
    ]
    return behind[0] if behind else len(values)
