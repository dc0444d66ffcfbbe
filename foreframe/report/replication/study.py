"""Everything that the replication report shows: the driving study, and the runs beside it.

A run is called as its files are: `priors/top_small.csv` is the curve of the run `top_small`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5, tables
from foreframe.artefacts.digest import digest
from foreframe.config import reading
from foreframe.config.protocols import MAIN
from foreframe.report import study as main_study
from foreframe.report.replication import findings
from foreframe.report.study import CURVE, EPOCHS, PER_FRAME, Artefact, Frames, Study, Training

# Files of the main study whose names do not say their roles.
ROLES = {f"samples/{MAIN}.h5": "samples", f"evaluations/{MAIN}.json": "evaluation"}
ROLES |= {f"evaluations/{MAIN}.csv": "per_frame"}
# What the end of a run's file says of its role.
ENDINGS = {
    ".safetensors": "",
    "_epochs.csv": "_epochs",
    ".csv": "_curve",
    ".json": "_facts",
}
MODELS = ("autoencoder", "top", "bottom")
MAIN_RUN = "main"
TRIALS = ("trial", "ending", "validation_loss")


@dataclass(frozen=True)
class Inputs:
    """The files of a replication report, by what they are; lists name a run in each path."""

    study: Sequence[Path]  # of the driving study
    trainings: Sequence[Path]
    curves: Sequence[Path]
    epochs: Sequence[Path]
    evaluations: Sequence[Path]
    per_frame: Sequence[Path]
    comparisons: Sequence[Path]
    joint: Path
    search: Sequence[Path]  # facts, trials, curves, epochs
    findings: Sequence[Path]  # facts, series, maps
    steering: Sequence[Path]  # facts, strips
    small: Path  # samples of the small top prior
    diverse: Path  # frames
    variants: Path

    def every(self) -> Iterable[Path]:
        """Yield all paths."""
        for field in fields(self):
            value = getattr(self, field.name)
            yield from [value] if isinstance(value, Path) else value


@dataclass(frozen=True)
class Replication:
    """What the report's figures and numbers are made from.

    `artefacts` are all inputs by path; `evaluations` and `per_frame` are by run, the main study's
    under `main`; `comparisons` by the data that autoencoders were compared on.
    """

    main: Study
    inputs: Inputs
    artefacts: Mapping[str, Artefact]
    trainings: Mapping[str, Training]
    evaluations: Mapping[str, dict[str, Any]]
    per_frame: Mapping[str, pandas.DataFrame]
    comparisons: Mapping[str, dict[str, Any]]
    joint: dict[str, Any]
    search: dict[str, Any]
    trials: pandas.DataFrame  # of the search
    findings: dict[str, Any]
    series: pandas.DataFrame  # of the findings, by predicted frame
    maps: Mapping[str, NDArray[Any]]  # of the findings, by name
    steering: dict[str, Any]
    variants: dict[str, Any]
    settings: Mapping[str, Any]  # of the replication study
    diverse: Frames  # (k, H, W, 3)

    @property
    def frame_interval(self) -> float:
        """Seconds from one frame to the next."""
        return self.main.frame_interval


def paths_by_role(files: Sequence[Path]) -> main_study.Paths:
    """Return the driving study's files under the names of their roles."""
    roles = {}
    for path in files:
        name = f"{path.parent.name}/{path.name}"
        roles[ROLES.get(name) or _role(path)] = path
    return main_study.Paths(**roles)


def _role(path: Path) -> str:
    for ending, role in ENDINGS.items():
        stem = path.name.removesuffix(ending)
        if path.name.endswith(ending) and stem in MODELS:
            return stem + role
    return path.stem


def load(inputs: Inputs, settings: Mapping[str, Any], study: Mapping[str, Any]) -> Replication:
    """Read everything; `settings` are the sections of params.yaml, `study` of this study's file.

    Raises:
        ArtefactError: an artefact is missing, damaged, or of another schema.
    """
    evaluations = {_run(path): facts.read(path, "evaluation") for path in inputs.evaluations}
    search = facts.read(inputs.search[0], "search")
    found = facts.read(inputs.findings[0], "findings")
    main = dict(settings)
    main[f"protocols.{MAIN}"] = main.pop("protocols")[MAIN]
    return Replication(
        main=main_study.load(paths_by_role(inputs.study), main),
        inputs=inputs,
        artefacts={path.as_posix(): artefact(path) for path in inputs.every()},
        trainings=_trainings(inputs),
        evaluations=evaluations,
        per_frame={
            _run(path): tables.read(path, PER_FRAME, evaluations[_run(path)]["per_frame_checksum"])
            for path in inputs.per_frame
        },
        comparisons={path.stem: facts.read(path, "autoencoders") for path in inputs.comparisons},
        joint=facts.read(inputs.joint, "models"),
        search=search,
        trials=tables.read(inputs.search[1], TRIALS, search["trials_checksum"]),
        findings=found,
        series=findings.read_series(inputs.findings[1], found),
        maps=findings.read_maps(inputs.findings[2]),
        steering=facts.read(inputs.steering[0], "steering"),
        variants=facts.read(inputs.variants, "variants"),
        settings=study,
        diverse=_gallery(inputs.diverse),
    )


def read_settings(path: Path) -> dict[str, Any]:
    """Return a params.yaml as plain values; its stages have checked it."""
    return reading.load(path)


def artefact(path: Path) -> Artefact:
    """Return what a figure says of an input: its path and digest."""
    if not path.exists():
        raise facts.missing(path)
    return Artefact(path.stem, "", path.as_posix(), digest(path), path.stat().st_size)


def _run(path: Path) -> str:
    """Return the run that an evaluation is of: its folder's name, `main` for the main study's."""
    return MAIN_RUN if path.parent.name == "evaluations" else path.parent.name


def _trainings(inputs: Inputs) -> dict[str, Training]:
    curves = {path.stem: path for path in inputs.curves}
    epochs = {path.stem.removesuffix("_epochs"): path for path in inputs.epochs}
    found = {}
    for path in inputs.trainings:
        values = facts.read(path, "training")
        found[path.stem] = Training(
            facts=values,
            curve=tables.read(curves[path.stem], CURVE, values["curve_checksum"]),
            epochs=tables.read(epochs[path.stem], EPOCHS, values["epochs_checksum"]),
        )
    return found


def _gallery(path: Path) -> Frames:
    with hdf5.opening(path, "frames") as file:
        return main_study.gallery(file)
