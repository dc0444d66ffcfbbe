"""Everything that the report shows of one study, read from its artefacts with their digests.

Frames are uint8 arrays (n, T, H, W, 3): clips, frames of a clip, rows, columns, RGB.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy
import pandas
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5, tables
from foreframe.artefacts.digest import digest
from foreframe.config.protocols import MAIN, REPORTED

Settings = Any  # a section of params.yaml, as plain JSON values
Frames = NDArray[numpy.uint8]

LEVELS = ("top", "bottom")
CURVE = ("step", "epoch", "samples", "loss")
EPOCHS = ("step", "train_loss", "validation_loss")
ENDS = ("", "_low", "_high")  # of a column with a mean, and of those with its interval
PER_FRAME = ("predictor", "frame", *(metric + end for metric in REPORTED for end in ENDS))
GALLERY = 12  # frames that show what the data look like


@dataclass(frozen=True)
class Paths:
    """The artefacts a report is made from; each field's name is also what the report calls it."""

    frames: Path
    split: Path
    normalization: Path
    autoencoder: Path
    autoencoder_facts: Path
    autoencoder_curve: Path
    autoencoder_epochs: Path
    latents: Path
    top: Path
    top_facts: Path
    top_curve: Path
    top_epochs: Path
    bottom: Path
    bottom_facts: Path
    bottom_curve: Path
    bottom_epochs: Path
    models: Path
    examples: Path
    samples: Path
    evaluation: Path
    per_frame: Path

    def of(self, role: str) -> Path:
        """Return the path of one artefact by its role's name."""
        path: Path = getattr(self, role)
        return path


STAGES = {
    "frames": "collect",
    "split": "split",
    "normalization": "normalize",
    "autoencoder": "train_autoencoder",
    "latents": "extract_latents",
    "top": "train_prior@top",
    "bottom": "train_prior@bottom",
    "models": "measure",
    "examples": "measure",
    "samples": f"sample@{MAIN}",
    "evaluation": f"evaluate@{MAIN}",
    "per_frame": f"evaluate@{MAIN}",
}


@dataclass(frozen=True)
class Artefact:
    """One input of the report, as its figures and its appendix name it."""

    role: str
    stage: str  # which wrote it
    path: str
    digest: str  # as in dvc.lock
    bytes: int

    def facts(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Training:
    """One training run: its facts, its curve and what was measured after each epoch."""

    facts: dict[str, Any]
    curve: pandas.DataFrame
    epochs: pandas.DataFrame


@dataclass(frozen=True)
class Rollouts:
    """The shown clips of the protocol, and one future of each, (n, horizon, H, W, 3)."""

    context: int
    real: Frames  # (n, T, H, W, 3)
    futures: Mapping[str, Frames]  # by the name of the choice
    operations: Mapping[str, Any]  # what sampling a clip took, by level


@dataclass(frozen=True)
class Study:
    """What the report's figures and numbers are made from."""

    artefacts: Mapping[str, Artefact]
    settings: Mapping[str, Settings]  # sections of params.yaml by name
    split: dict[str, Any]
    normalization: dict[str, Any]
    models: dict[str, Any]  # what was measured on whole sets
    evaluation: dict[str, Any]  # what was measured of predicted futures
    per_frame: pandas.DataFrame
    trainings: Mapping[str, Training]  # autoencoder, top, bottom
    frame_interval: float  # seconds from frame to frame
    episodes: NDArray[numpy.int64]  # (E,) frames of each
    gallery: Frames  # (k, H, W, 3)
    grids: Mapping[str, tuple[int, int, int]]  # code-frames, rows, columns of each level
    examples: Mapping[str, Frames]
    rollouts: Rollouts


def load(paths: Paths, settings: Mapping[str, Settings]) -> Study:
    """Read a study; of the large files only what is shown.

    Raises:
        ArtefactError: an artefact is missing, damaged, or of another schema.
    """
    shown = settings["sampling"]["show"]
    with hdf5.opening(paths.frames, "frames") as file:
        interval = float(file.attrs["frame_interval"])
        episodes, shown_frames = file["episode_length"][:], gallery(file)
    with hdf5.opening(paths.latents, "latents") as file:
        grids = {level: tuple(file["test"][level].shape[1:]) for level in LEVELS}
    with hdf5.opening(paths.examples, "examples") as file:
        examples = {name: file[name][:] for name in sorted(file)}
    evaluation = facts.read(paths.evaluation, "evaluation")
    return Study(
        artefacts=_artefacts(paths),
        settings=settings,
        split=facts.read(paths.split, "split"),
        normalization=facts.read(paths.normalization, "normalization"),
        models=facts.read(paths.models, "models"),
        evaluation=evaluation,
        per_frame=tables.read(paths.per_frame, PER_FRAME, evaluation["per_frame_checksum"]),
        trainings={name: _training(paths, name) for name in ("autoencoder", *LEVELS)},
        frame_interval=interval,
        episodes=episodes,
        gallery=shown_frames,
        grids=grids,
        examples=examples,
        rollouts=_rollouts(paths.samples, list(settings["sampling"]["choices"]), shown),
    )


def _artefacts(paths: Paths) -> dict[str, Artefact]:
    return {field.name: _artefact(field.name, paths.of(field.name)) for field in fields(paths)}


def _artefact(role: str, path: Path) -> Artefact:
    stage = STAGES.get(role) or STAGES[role.rpartition("_")[0]]
    if not path.exists():
        raise facts.missing(path)
    return Artefact(role, stage, path.as_posix(), digest(path), path.stat().st_size)


def _training(paths: Paths, name: str) -> Training:
    values = facts.read(paths.of(f"{name}_facts"), "training")
    curve, epochs = paths.of(f"{name}_curve"), paths.of(f"{name}_epochs")
    return Training(
        facts=values,
        curve=tables.read(curve, CURVE, values["curve_checksum"]),
        epochs=tables.read(epochs, EPOCHS, values["epochs_checksum"]),
    )


def gallery(file: h5py.File) -> Frames:
    """Return frames that are evenly spread over the whole recording."""
    count = len(file["frames"])
    positions = numpy.unique(numpy.linspace(0, count - 1, GALLERY + 2).round()[1:-1])
    frames: Frames = file["frames"][positions.astype(numpy.int64)]
    return frames


def _rollouts(path: Path, choices: list[str], shown: int) -> Rollouts:
    with hdf5.opening(path, "samples") as file:
        return Rollouts(
            context=int(file.attrs["context"]),
            real=file["real"][:shown],
            futures={name: file[name]["frames"][:shown, 0] for name in choices},
            operations=json.loads(file.attrs["operations"]),
        )
