"""The data report: what stage inspect_data found, as pictures and as values for its Typst source.

It needs no model, so any study that has frames and a split can have it.
Suffixes: C = 3 colours, V = 256 values, E episodes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.config.report import Report
from foreframe.config.split import SETS
from foreframe.report import animations, data_plots, strips, style
from foreframe.report.figures import Drawing, write
from foreframe.report.strips import Row
from foreframe.report.study import Artefact, Frames

SCHEMA = "inspection"
ROLES = ("inspection", "inspection_arrays")  # what the pictures are made from
SEARCHES = {
    "usual": ("training, other scenes", style.GREY),
    "train_validation": ("validation in training", style.SETS["validation"]),
    "train_test": ("test in training", style.SETS["test"]),
    "validation_test": ("test in validation", style.PURPLE),
}


@dataclass(frozen=True)
class Paths:
    """The artefacts a data report is made from; each field's name is also what it calls it."""

    frames: Path
    split: Path
    inspection: Path
    inspection_arrays: Path


STAGES = {
    "frames": "collect",
    "split": "split",
    "inspection": "inspect_data",
    "inspection_arrays": "inspect_data",
}


@dataclass(frozen=True)
class Shown:
    """Clips, uint8 (n, T, H, W, 3), and the number of each one's first frame, from 0."""

    frames: Frames
    starts: NDArray[numpy.int64]


@dataclass(frozen=True)
class Inspection:
    """What an inspection found, by the names that the stage gave it.

    Attributes:
        artefacts: the files, by role.
        values: the facts.
        runs: [start, stop) of the frames of each set.
        lengths: frames of each episode, int64 (E,).
        pixels: how often each value occurs, int64 (C, V), by set.
        motion_edges, motion: bins in levels, and the steps in each by set.
        course: colours and motion in time.
        distances: in bits, by search; clips that had nothing to be compared with are left out.
        clips: sample clips by set.
        pairs: closest pairs by pair of sets; first the clip searched, then the one looked up.
    """

    artefacts: Mapping[str, Artefact]
    values: dict[str, Any]
    runs: Mapping[str, list[list[int]]]
    lengths: NDArray[numpy.int64]
    pixels: Mapping[str, NDArray[numpy.int64]]
    motion_edges: NDArray[numpy.float64]
    motion: Mapping[str, NDArray[numpy.int64]]
    course: Mapping[str, NDArray[numpy.float64]]
    distances: Mapping[str, NDArray[numpy.float64]]
    clips: Mapping[str, Shown]
    pairs: Mapping[str, Shown]

    @property
    def frame_interval(self) -> float:
        """Seconds from one frame to the next."""
        return float(self.values["frame_interval"])


def load(paths: Paths) -> Inspection:
    """Read what an inspection found.

    Raises:
        ArtefactError: a file is missing, damaged, or of another schema.
    """
    values, split = facts.read(paths.inspection, SCHEMA), facts.read(paths.split, "split")
    with hdf5.opening(paths.inspection_arrays, SCHEMA) as file:
        return Inspection(
            artefacts={role: _artefact(role, getattr(paths, role)) for role in STAGES},
            values=values,
            runs={name: split[name] for name in SETS},
            lengths=file["episode_length"][:],
            pixels={name: file["pixels"][name][:] for name in SETS},
            motion_edges=file["motion_edges"][:],
            motion={name: file["motion"][name][:] for name in SETS},
            course={name: part[:] for name, part in file["course"].items()},
            distances={
                name: _known(file["distances"][name][:], values["duplicates"]["bits"])
                for name in SEARCHES
            },
            clips={name: _shown(file["clips"][name]) for name in SETS},
            pairs={name: _shown(part) for name, part in file["pairs"].items()},
        )


def _artefact(role: str, path: Path) -> Artefact:
    if not path.exists():
        raise facts.missing(path)
    return Artefact(role, STAGES[role], path.as_posix(), digest(path), path.stat().st_size)


def _known(distances: NDArray[numpy.int64], bits: int) -> NDArray[numpy.float64]:
    return distances[distances <= bits].astype(numpy.float64)


def _shown(group: Any) -> Shown:
    return Shown(group["frames"][:], group["start"][:])


def of(found: Inspection, settings: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Return what the page reads besides facts and pictures; `settings` are by section."""
    return {
        "title": report.title,
        "author": report.author,
        "source": settings["source"]["kind"],
        "artefacts": [artefact.facts() for artefact in found.artefacts.values()],
    }


def write_all(found: Inspection, folder: Path) -> None:
    """Write every picture of an inspection, and its description, into `folder`."""
    with style.drawing():
        for drawing in drawings(found):
            write(drawing, found, folder)


def drawings(found: Inspection) -> Iterator[Drawing]:
    """Yield the pictures in the order in which the chapter shows them."""
    interval = found.frame_interval
    yield Drawing(
        "lengths",
        "A histogram of the lengths of the episodes in seconds.",
        ROLES,
        data_plots.lengths(found.lengths, interval),
    )
    for name in SETS:
        yield _clips(name, found.clips[name])
    yield Drawing(
        "course",
        "Mean red, green and blue along the recording, and below them the motion.",
        (*ROLES, "split"),
        data_plots.course(found.course, found.runs, interval),
    )
    yield Drawing(
        "pixels",
        "Share of pixels at each of 256 values, for red, green and blue, a line for each set.",
        ROLES,
        data_plots.pixels(found.pixels),
    )
    yield Drawing(
        "motion",
        "Distribution of the mean absolute difference between successive frames, by set.",
        ROLES,
        data_plots.motion(found.motion_edges, found.motion),
    )
    yield from _duplicates(found)
    yield Drawing(
        "drift",
        "Distances of the validation and the test set from the training set, beside those of "
        "stretches of the training set from the rest of it.",
        ROLES,
        data_plots.drift(found.values["drift"]),
    )


def _duplicates(found: Inspection) -> Iterator[Drawing]:
    values = found.values["duplicates"]
    searches = {
        label: (found.distances[name], colour) for name, (label, colour) in SEARCHES.items()
    }
    yield Drawing(
        "distances",
        "Distribution of the distance from each clip to the nearest one of another set, beside "
        "that between different scenes of the training set.",
        ROLES,
        data_plots.distances(searches, values["threshold"], values["bits"]),
    )
    for name, pairs in found.pairs.items():
        yield _pairs(name, pairs)


def _clips(name: str, shown: Shown) -> Drawing:
    rows = [
        Row(f"frame\n{start:,}", frames)
        for frames, start in zip(shown.frames, shown.starts.tolist(), strict=True)
    ]
    return Drawing(
        f"clips_{name}",
        f"{len(rows)} clips of the {name} set, a row each, in the order of time.",
        ROLES,
        strips.draw(rows, strips.spread(shown.frames.shape[1], strips.COLUMNS)),
        animations.draw([Row(row.label.replace("\n", " "), row.frames) for row in rows]),
    )


def _pairs(name: str, shown: Shown) -> Drawing:
    first, second = name.split("_")
    rows = [
        Row(f"{set_name}\n{start:,}", frames)
        for set_name, frames, start in zip(
            (first, second) * (len(shown.frames) // 2),
            shown.frames,
            shown.starts.tolist(),
            strict=True,
        )
    ]
    return Drawing(
        f"pairs_{name}",
        f"Pairs of rows: a clip of the {first} set, and under it the clip of the {second} set that "
        "looks most like it.",
        ROLES,
        strips.draw(rows, strips.spread(shown.frames.shape[1], strips.COLUMNS)),
        animations.draw([Row(row.label.replace("\n", " "), row.frames) for row in rows]),
    )
