"""The classes of whole episodes: one number by name for each episode, and what the numbers mean.

In frames.h5 the dataset `episode_label/NAME` is int16 (E,), and the attribute `label_classes` names
the classes of each, in the order of their numbers. Suffixes: B clips, E episodes.
"""

import json
from collections.abc import Mapping, Sequence

import h5py
import numpy
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.errors import UserError

GROUP, ATTRIBUTE = "episode_label", "label_classes"

Classes = Mapping[str, tuple[str, ...]]  # names of the classes, by the label's name


def check(labels: Mapping[str, int], classes: Classes, origin: str) -> None:
    """Refuse an episode whose labels are not the source's.

    Raises:
        UserError: it has other labels than the source names, or one that is no class.
    """
    if set(labels) != set(classes):
        raise UserError(
            f"The episode {origin} has the labels {', '.join(sorted(labels)) or 'none'}, but its "
            f"source has {', '.join(sorted(classes)) or 'none'}. Label every episode alike."
        )
    for name, label in labels.items():
        if not 0 <= label < len(classes[name]):
            raise UserError(
                f"The episode {origin} has the {name} {label}; there are {len(classes[name])} "
                "classes, counted from 0. Correct the label."
            )


def number(classes: Classes, name: str, label: str) -> int:
    """Return the number of a class by its name.

    Raises:
        UserError: there is no such label, or no class of that name.
    """
    if name not in classes:
        raise UserError(f"{name} is no label of the data. There are: {_listed(classes)}.")
    if label not in classes[name]:
        raise UserError(f"{label!r} is no {name}. There are: {_listed(classes[name])}.")
    return classes[name].index(label)


def _listed(names: Sequence[str] | Classes) -> str:
    return ", ".join(names) or "none"


def store(file: h5py.File, labels: Mapping[str, Sequence[int]]) -> None:
    """Write the labels of all episodes, by name."""
    for name, values in labels.items():
        hdf5.store(file, f"{GROUP}/{name}", numpy.array(values, numpy.int16))


def attributes(classes: Classes) -> dict[str, str]:
    """Return what a file says of its labels; nothing where it has none."""
    return {ATTRIBUTE: json.dumps(classes)} if classes else {}


def classes(file: h5py.File) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes of each label; nothing where the source has none."""
    found = json.loads(file.attrs.get(ATTRIBUTE, "{}"))
    return {name: tuple(names) for name, names in found.items()}


def of_clips(file: h5py.File, names: Sequence[str], starts: ArrayLike) -> dict[str, Tensor]:
    """Return the labels of clips that begin at `starts`: int64 (B,), by name.

    Raises:
        UserError: the data have no such label.
    """
    known = classes(file)
    for name in names:
        if name not in known:
            raise UserError(f"{name} is no label of the data. There are: {_listed(known)}.")
    begins_E: NDArray[numpy.int64] = file["episode_start"][:]
    episodes_B = numpy.searchsorted(begins_E, numpy.asarray(starts), side="right") - 1
    # Read whole: two bytes of each episode.
    return {
        name: torch.from_numpy(file[f"{GROUP}/{name}"][:][episodes_B].astype(numpy.int64))
        for name in names
    }


def problem(file: h5py.File) -> str | None:
    """Return what is wrong with the labels of a file of frames, or None."""
    known, count = classes(file), len(file["episode_length"])
    if set(known) != set(file.get(GROUP, ())):
        return "its labels and the names of their classes do not fit each other"
    for name, names in known.items():
        labels_E = file[f"{GROUP}/{name}"]
        if labels_E.dtype != numpy.int16 or labels_E.shape != (count,):
            return f"its {name} is not one int16 for each episode"
        if count and not (labels_E[:].min() >= 0 and labels_E[:].max() < len(names)):
            return f"its {name} is none of the {len(names)} classes somewhere"
    return None
