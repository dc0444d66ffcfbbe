"""Samples that other programs made, in the layout of docs/compare.md: checked, then read by clip.

Shapes: n clips, B of them, S futures of each, h predicted frames, H rows, W columns, C = 3 colours.
"""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from torch import Tensor

from foreframe.artefacts import facts
from foreframe.config.sampling import TAKEN
from foreframe.errors import UserError
from foreframe.evaluation.scoring import Clipped, Entry

SCHEMA = "external_samples"
ATTRIBUTES = ("predictor", "protocol", "dataset", "context", "horizon")
DATASETS = ("clip_start", "frames")
LAYOUT = "docs/compare.md has the layout."


@dataclass(frozen=True)
class Samples:
    """An open file of samples that fits the clips of a protocol."""

    predictor: str
    frames: h5py.Dataset  # (n,S,h,H,W,C) uint8

    def read(self, place: int, futures: range) -> Tensor:
        """Return some futures (S,h,H,W,C) of one clip, uint8."""
        return torch.from_numpy(self.frames[place, futures.start : futures.stop])

    @property
    def entry(self) -> Entry:
        """The samples as a row of a table."""
        return Entry(self.predictor, self.frames.shape[1], self.read)


@dataclass(frozen=True)
class File:
    """An open file of samples: its attributes, text as str, and its two datasets."""

    attributes: Mapping[str, Any]
    clip_start: h5py.Dataset
    frames: h5py.Dataset


@contextlib.contextmanager
def opening(path: Path) -> Iterator[File]:
    """Yield a file of samples, open for reading, that has every part of the layout.

    Other programs store text as they like, so this is not the strict reader of our own files.

    Raises:
        UserError: it cannot be read, or lacks a part.
    """
    try:
        with h5py.File(path, "r") as file:
            attributes = {name: _plain(value) for name, value in file.attrs.items()}
            datasets = {name: _own(file, name) for name in DATASETS}
            if problem := _parts_problem(attributes, datasets):
                raise UserError(f"{path} {problem} {LAYOUT}")
            yield File(attributes, **datasets)
    except OSError as error:
        raise UserError(f"{path} cannot be used as samples: {error}. {LAYOUT}") from None


def _own(file: h5py.File, name: str) -> Any:
    """Return what has this name in the file itself; a link to another place counts for nothing."""
    return file.get(name) if isinstance(file.get(name, getlink=True), h5py.HardLink) else None


def _plain(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _parts_problem(attributes: Mapping[str, Any], datasets: Mapping[str, Any]) -> str | None:
    if attributes.get("schema") != f"foreframe/{SCHEMA}":
        return f"says that it is {attributes.get('schema')}, not foreframe/{SCHEMA}."
    if attributes.get("version") != facts.VERSION:
        return f"has version {attributes.get('version')}; this program reads {facts.VERSION}."
    if lacking := [name for name in ATTRIBUTES if name not in attributes]:
        return f"lacks {', '.join(lacking)}."
    for name, found in datasets.items():
        if not isinstance(found, h5py.Dataset):
            return f"lacks {name}."
        if found.external or found.is_virtual:
            return f"has its {name} in another file; store them in this one."
    return None


def protocols_of(folder: Path) -> dict[Path, str]:
    """Return the files of samples in a folder, sorted, with the protocol each is meant for.

    Raises:
        UserError: one cannot be read.
    """
    found = {}
    for path in sorted(folder.rglob("*.h5")):
        with opening(path) as file:
            found[path] = str(file.attributes["protocol"])
    return found


def fitting(path: Path, file: File, clips: Clipped, taken: Collection[str]) -> Samples:
    """Return the samples in an open file, after a look at whether they are of these clips.

    Raises:
        UserError: they are not; the message says what differs.
    """
    samples = Samples(str(file.attributes["predictor"]), file.frames)
    for problem in _problems(file, clips, {*taken, *TAKEN}):
        raise UserError(f"{path} {problem} {LAYOUT}")
    return samples


def _problems(file: File, clips: Clipped, taken: Collection[str]) -> Iterator[str]:
    name, settings = str(file.attributes["predictor"]), clips.protocol.futures
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        yield f"calls its predictor {name!r}: use small letters, digits and _."
    if name in taken:
        yield f"calls its predictor {name}, and another one has this name: choose another."
    if file.attributes["protocol"] != clips.name:
        yield f"is meant for the protocol {file.attributes['protocol']}, not for {clips.name}."
    if file.attributes["dataset"] != clips.dataset:
        yield (
            f"was made from other frames: it names the dataset {file.attributes['dataset']}, "
            f"{clips.frames} is {clips.dataset}. Make its samples from these."
        )
    for key in ("context", "horizon"):
        if file.attributes[key] != getattr(settings, key):
            yield f"has {key} {file.attributes[key]}; the protocol {clips.name} asks for " + (
                f"{getattr(settings, key)}."
            )
    yield from _array_problems(file, clips)


def _array_problems(file: File, clips: Clipped) -> Iterator[str]:
    frames, settings = file.frames, clips.protocol.futures
    if frames.dtype != numpy.uint8:
        yield f"holds frames of {frames.dtype}: store uint8, 0 to 255, without NaN or other ranges."
    if file.clip_start.shape != clips.starts.shape or (file.clip_start[:] != clips.starts).any():
        yield (
            "continues other clips than the protocol: take those that `foreframe contexts` writes, "
            "in their order."
        )
    count, futures = len(clips.starts), settings.samples
    shape = (settings.horizon, *clips.frame_size, 3)
    allowed = {(count, number, *shape) for number in (1, futures)}
    if frames.shape not in allowed:
        wanted = " or ".join(str(each) for each in sorted(allowed))
        yield f"holds frames of shape {frames.shape}; it must be {wanted}."


@contextlib.contextmanager
def all_fitting(
    paths: Collection[Path], clips: Clipped, taken: Collection[str]
) -> Iterator[list[Samples]]:
    """Yield the samples of several files, open for reading.

    Raises:
        UserError: as `fitting`; two of them have one name.
    """
    found: list[Samples] = []
    with contextlib.ExitStack() as stack:
        for path in paths:
            file = stack.enter_context(opening(path))
            names = [*taken, *(samples.predictor for samples in found)]
            found.append(fitting(path, file, clips, names))
        yield found
