"""Frames from HDF5 files, of a documented layout or as `collect` writes them, read in slices.

A file holds either `frames`, uint8 (N, H, W, 3) or (N, H, W), or one group for each episode with
such a dataset in it. Beside `frames` there may be `actions` (N, A) and `states` (N, S). A file of
`frames` may hold several episodes, one after the other: `episode_length` (E,) says how long they
are. The attributes `action_names` and `state_names` of the file name the channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import BLOCK, Block, Episode, Stream, in_blocks, parallel
from foreframe.sources.hdf5.file import dataset, header, names, opening, texts
from foreframe.sources.reading import arrays, listing
from foreframe.sources.reading.resampling import RecordedSettings

ENDINGS = (".h5", ".hdf5")

# What is read at once has at most so many bytes, or is one frame.
PIECE = 1 << 26

PARTS = ("", "train", "validation", "test")


class Settings(RecordedSettings):
    """Size and frame interval of the frames, and the time between two frames of a dataset."""

    kind: Literal["hdf5"]


@dataclass(frozen=True)
class _Job:
    """The rows [start, stop) of the datasets in one group of a file; the file itself is group /."""

    path: Path
    group: str
    start: int
    stop: int
    origin: str
    part: str


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes of the HDF5 files of a folder, in the natural order of their names.

    The layout of all files is looked at before any frame is read. Nothing here is random: `seed`
    is not used.

    Raises:
        UserError: the folder is missing or empty, or a file is damaged or of another layout.
    """
    jobs: list[_Job] = []
    channels = None
    for path in listing.files(videos, ENDINGS):
        with opening(path) as file:
            _check_interval(path, file, settings)
            for group in _groups(path, file):
                here = _channels(path, file, group)
                channels = channels or here
                arrays.same_names(channels, here, f"{path}: {group}")
                jobs.extend(_jobs(path, file, group))
    assert channels is not None, "a folder has files and a file has episodes"
    return Stream(*channels, _episodes(settings, jobs, workers, first))


def _episodes(settings: Settings, jobs: list[_Job], workers: int, first: int) -> Iterator[Episode]:
    rest = jobs[first:]
    episodes = parallel.in_order(
        partial(_read, settings), rest, workers, BLOCK * settings.height * settings.width * 3
    )
    for job, blocks in zip(rest, episodes, strict=True):
        yield Episode(job.origin, len(jobs), blocks, job.part)


def _check_interval(path: Path, file: h5py.File, settings: Settings) -> None:
    said = file.attrs.get("frame_interval", settings.recorded_interval)
    if not numpy.allclose(said, settings.recorded_interval):
        raise UserError(
            f"{path} says that its frames are {said} s apart, but source.recorded_interval is "
            f"{settings.recorded_interval}. Correct that."
        )


def _groups(path: Path, file: h5py.File) -> list[str]:
    # Looked at by its link: asking for what it is would open the file that a link leads to.
    if file.get("frames", getlink=True) is not None:
        return ["/"]
    found = sorted((str(name) for name in file), key=listing.natural)
    for name in found:
        hard = isinstance(file.get(name, getlink=True), h5py.HardLink)
        if not hard or not isinstance(file[name], h5py.Group):
            raise UserError(
                f"{path}: {name} is no group of this file. A file holds the dataset `frames`, or "
                "groups of which each holds one; see docs/data.md."
            )
    if not found:
        raise UserError(f"{path} holds nothing. Remove it or write it again.")
    return found


def _channels(path: Path, file: h5py.File, group: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Check the datasets of one group, and return the names of its actions and of its states."""
    frames = dataset(path, file, group, "frames")
    if frames is None:
        raise UserError(f"{path}: {group} has no dataset `frames`. Add it, or remove the group.")
    arrays.check_frames(f"{path}: {frames.name}", header(frames))
    found = []
    for kind in ("action", "state"):
        values = dataset(path, file, group, f"{kind}s")
        if values is not None:
            arrays.check_numbers(f"{path}: {values.name}", header(values), len(frames))
        count = 0 if values is None else values.shape[1]
        found.append(arrays.named(kind, names(path, file, f"{kind}_names"), count, str(path)))
    return found[0], found[1]


def _jobs(path: Path, file: h5py.File, group: str) -> Iterator[_Job]:
    frames = dataset(path, file, group, "frames")
    assert frames is not None, "its presence has been checked"
    if group != "/":
        yield _Job(path, group, 0, len(frames), f"{path.name}/{group}", "")
        return
    lengths = _lengths(path, file, len(frames))
    if lengths is None:
        yield _Job(path, group, 0, len(frames), path.name, "")
        return
    numbered = [str(number) for number in range(len(lengths))]
    origins = texts(path, file, "episode_origin", len(lengths)) or numbered
    parts = texts(path, file, "episode_part", len(lengths)) or [""] * len(lengths)
    if unknown := set(parts) - set(PARTS):
        raise UserError(
            f"{path}: episode_part has {', '.join(sorted(unknown))}; known are "
            f"{', '.join(PARTS[1:])}. Correct it."
        )
    stop = 0
    for length, origin, part in zip(lengths, origins, parts, strict=True):
        yield _Job(path, group, stop, stop + length, f"{path.name}/{origin}", part)
        stop += length


def _lengths(path: Path, file: h5py.File, count: int) -> list[int] | None:
    """Return the lengths of the episodes of a flat file, or None if it does not say."""
    lengths, starts = (_integers(path, file, f"episode_{name}") for name in ("length", "start"))
    if lengths is None and starts is None:
        return None
    if lengths is None or (lengths < 1).any() or lengths.sum() != count:
        raise UserError(
            f"{path}: episode_length must be positive and add up to the {count} frames. Correct it."
        )
    if starts is not None and not numpy.array_equal(starts, numpy.cumsum(lengths) - lengths):
        raise UserError(
            f"{path}: episode_start is not where each episode begins when they follow each other. "
            "Correct it or leave it out."
        )
    return [int(length) for length in lengths]


def _integers(path: Path, file: h5py.File, name: str) -> NDArray[numpy.int64] | None:
    values = dataset(path, file, "/", name)
    if values is None:
        return None
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise UserError(f"{path}: {name} is {values.dtype} {values.shape}, not integers (E,).")
    # Unsigned numbers would wrap around in the sums.
    return numpy.asarray(values[:]).astype(numpy.int64)


def _read(settings: Settings, job: _Job) -> Iterator[Block]:
    with opening(job.path) as file:
        frames, actions, states = (
            _rows(dataset(job.path, file, job.group, name), job)
            for name in ("frames", "actions", "states")
        )
        assert frames is not None, "its presence has been checked"
        where = f"{job.path}: {job.group}"
        yield from in_blocks(arrays.rows(where, settings, frames, actions, states))


def _rows(values: h5py.Dataset | None, job: _Job) -> Iterator[NDArray[Any]] | None:
    if values is None:
        return None
    step = max(1, min(BLOCK, PIECE // header(values).row_bytes))
    return (
        row
        for start in range(job.start, job.stop, step)
        for row in values[start : min(start + step, job.stop)]
    )
