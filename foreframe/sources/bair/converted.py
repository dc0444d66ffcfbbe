"""BAIR robot pushing as others have converted it: folders of pictures, or one HDF5 file.

Pictures lie in processed_data/SET/traj_256_to_511/NUMBER/TIME.png (SVG, Denton and Fergus 2018);
the file has for each set SET_data, uint8 (N, 64, 64, 3), and SET_idx, the first frame of each
trajectory (VideoGPT, Yan et al. 2021). Neither has actions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import h5py
import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import (
    BLOCK,
    Block,
    Episode,
    SourceSettings,
    Stream,
    in_blocks,
    parallel,
    recordings,
)
from foreframe.sources.datasets import Found
from foreframe.sources.hdf5 import file as hdf5_file
from foreframe.sources.reading import arrays
from foreframe.sources.reading.fitting import fit
from foreframe.sources.recordings import Recording, Survey

FRAMES = 30
SETS = ("train", "test")

LAYOUTS = (
    "softmotion30_44k/train/*.tfrecords, processed_data/train/traj_*/0/0.png, or one .hdf5 file "
    "with train_data and train_idx"
)


@dataclass(frozen=True)
class _Job:
    """The frames [start, stop) of the dataset PART_data of a file."""

    path: Path
    part: str
    number: int
    start: int
    stop: int


def survey(folder: Path) -> Survey:
    """Return the trajectories that lie in a folder as pictures.

    Raises:
        UserError: there is none.
    """
    recordings.inside(folder)
    found: list[Recording] = []
    missing: list[str] = []
    for root in (folder / "processed_data", folder):
        for part in SETS:
            for path in _trajectories(root / part):
                origin = f"{part}/{path.parent.name} {path.name}"
                names = recordings.picture_names(path)
                if len(names) == FRAMES:
                    found.append(Recording(origin, part, path, names))
                else:
                    missing.append(f"{origin} ({len(names)} of {FRAMES} frames)")
        if found or missing:
            return Survey(tuple(found), tuple(missing))
    raise UserError(f"{folder} has nothing of BAIR. These layouts are read: {LAYOUTS}.")


def _trajectories(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for group in recordings.folders(folder):
            yield from recordings.folders(group)


def file(folder: Path) -> Path | None:
    """Return the HDF5 file of a folder, or None if there is none.

    Raises:
        UserError: there are several.
    """
    found = [path for path in recordings.inside(folder) if path.suffix in (".h5", ".hdf5")]
    if len(found) > 1:
        raise UserError(f"{folder} has several HDF5 files. Leave the one of BAIR there.")
    return found[0] if found else None


def found(path: Path) -> Found:
    """Return how many trajectories each set of an HDF5 file has."""
    jobs = _jobs(path)
    return Found({part: sum(job.part == part for job in jobs) for part in SETS})


def stream(path: Path, settings: SourceSettings, workers: int, first: int) -> Stream:
    """Return the trajectories of an HDF5 file, without actions."""
    return Stream((), (), _episodes(_jobs(path), settings, workers, first))


def _episodes(
    jobs: Sequence[_Job], settings: SourceSettings, workers: int, first: int
) -> Iterator[Episode]:
    rest = jobs[first:]
    streams = parallel.in_order(
        partial(_read, settings), rest, workers, BLOCK * settings.height * settings.width * 3
    )
    for job, blocks in zip(rest, streams, strict=True):
        yield Episode(f"{job.part}/{job.number}", len(jobs), blocks, job.part)


def _read(settings: SourceSettings, job: _Job) -> Iterator[Block]:
    nothing = numpy.empty(0, numpy.float32)
    with hdf5_file.opening(job.path) as opened:
        frames_N = _data(job.path, opened, job.part)[job.start : job.stop]
    return in_blocks(
        (fit(frame, settings.height, settings.width), nothing, nothing) for frame in frames_N
    )


def _jobs(path: Path) -> list[_Job]:
    jobs = []
    with hdf5_file.opening(path) as opened:
        for part in SETS:
            borders = _borders(path, opened, part)
            jobs += [
                _Job(path, part, number, start, stop)
                for number, (start, stop) in enumerate(pairwise(borders))
            ]
    return jobs


def _data(path: Path, opened: h5py.File, part: str) -> h5py.Dataset:
    frames = hdf5_file.dataset(path, opened, "/", f"{part}_data")
    if frames is None:
        raise UserError(f"{path} has no {part}_data. These layouts of BAIR are read: {LAYOUTS}.")
    arrays.check_frames(f"{path}: {part}_data", hdf5_file.header(frames))
    return frames


def _borders(path: Path, opened: h5py.File, part: str) -> list[int]:
    """Return where each trajectory of a set begins, and where the last one ends."""
    frames = _data(path, opened, part)
    starts = hdf5_file.dataset(path, opened, "/", f"{part}_idx")
    if starts is None or starts.ndim != 1 or starts.dtype.kind not in "iu":
        raise UserError(f"{path}: {part}_idx does not say where trajectories begin. Convert again.")
    numbers: NDArray[numpy.int64] = numpy.append(starts[:].astype(numpy.int64), len(frames))
    if numbers[0] != 0 or (numpy.diff(numbers) != FRAMES).any():
        raise UserError(
            f"{path}: {part}_idx does not begin a trajectory every {FRAMES} of the {len(frames)} "
            "frames. The conversion was not finished; make it again."
        )
    return [int(number) for number in numbers]
