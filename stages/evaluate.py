"""Stage evaluate: the futures of a protocol against the true ones, beside baselines and a bound.

Every predictor is measured on the same clips, so differences are taken clip by clip; so are the
samples of other programs that lie in the folder `external`. All numbers are under one protocol,
whose digest stands with them.

Shapes: B clips, S futures of each, h predicted frames, H rows, W columns, C = 3 colours.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import torch
from torch import Tensor

from foreframe import evaluating, external, stage
from foreframe.artefacts import facts, hdf5, tables
from foreframe.artefacts import scores as score_file
from foreframe.compute import environment, prepare
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.protocols import ProtocolSettings
from foreframe.errors import ArtefactError
from foreframe.evaluating import Clipped
from foreframe.metrics import evaluation as results

BOUND = "reconstruction"


def predictors(samples: h5py.File) -> list[str]:
    """Return the names of the predictors whose futures are stored, the bound last."""
    names = sorted(name for name in samples if isinstance(samples[name], h5py.Group))
    return sorted(names, key=lambda name: name == BOUND)


def stored(samples: h5py.File, rows: slice) -> Mapping[str, Tensor]:
    """Return some clips' futures by predictor (B,S,h,H,W,C), uint8."""
    return {name: torch.from_numpy(samples[name]["frames"][rows]) for name in predictors(samples)}


def meant_for(folder: Path, protocol: str) -> list[Path]:
    """Return the files of other programs' samples that are meant for a protocol; name the rest."""
    found = external.protocols_of(folder)
    for path, wanted in found.items():
        if wanted != protocol:
            print(f"{path} is meant for the protocol {wanted} and left out of {protocol}.")
    return [path for path, wanted in found.items() if wanted == protocol]


def check(samples: h5py.File, clips: Clipped, path: Path) -> None:
    """Refuse samples of other frames or clips.

    Raises:
        ArtefactError: they were made from other frames or another split.
    """
    starts = samples["clip_start"][:].tolist()
    if samples.attrs["dataset"] != clips.dataset or starts != clips.starts.tolist():
        raise ArtefactError(f"{path} belongs to other frames or another split. {facts.CURE}")


def few(values: dict[str, Any]) -> dict[str, float]:
    """Return the numbers that `dvc metrics show` prints: the first two metrics that have values."""
    return {
        f"{predictor}_{name}": found[name]["mean"]
        for predictor, found in values["predictors"].items()
        for name in [name for name in values["metrics"] if found[name] is not None][:2]
    }


def main(
    *,
    frames: Path,
    split: Path,
    samples: Path,
    probe: Path,
    external_samples: Path,
    weights: Path,
    protocol: ProtocolSettings,
    evaluation: Evaluation,
    compute: Compute,
    scores: Path,
    metrics: Path,
    per_frame: Path,
) -> None:
    """Measure every predictor; write its scores, and its scores frame by frame."""
    device = prepare(compute)
    clips = Clipped(frames, split, probe, samples.stem, protocol)
    found = evaluating.metrics(protocol, weights, device)
    others = meant_for(external_samples, clips.name)
    with torch.inference_mode(), hdf5.opening(samples, "samples") as file:
        check(file, clips, samples)
        with external.all_fitting(others, clips, predictors(file)) as elsewhere:

            def futures(rows: slice) -> Mapping[str, Tensor]:
                theirs = {each.predictor: each.read(rows) for each in elsewhere}
                return {**stored(file, rows), **theirs}

            measured = evaluating.score(clips, found, futures, evaluation.batch_size)
        described = evaluating.describe(clips, found, str(file.attrs["context_encoding"]))
        origin = {"settings": json.loads(file.attrs["settings"]), "weights": file.attrs["weights"]}
    values = evaluating.summarize(clips.name, described, measured)
    checksum = tables.write(per_frame, results.per_frame(measured.scores))
    values |= {"per_frame_checksum": checksum, "environment": environment(device, compute)}
    facts.write(scores, results.SCHEMA, values | origin)
    score_file.write(metrics, few(values))


if __name__ == "__main__":
    stage.run(main)
