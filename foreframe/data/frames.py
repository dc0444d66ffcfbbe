"""The file frames.h5: all episodes one after the other, one chunk for each clip's worth of frames.

Suffixes: N frames, H height, W width, A action channels or states, E episodes.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy

from foreframe.artefacts import facts, hdf5
from foreframe.data import labels
from foreframe.errors import ArtefactError

SCHEMA = "frames"


@contextlib.contextmanager
def opening(path: Path) -> Iterator[h5py.File]:
    """Yield a file of frames, open for reading, after a look at its datasets.

    Raises:
        ArtefactError: the file is missing, damaged, or its datasets do not fit each other.
    """
    with hdf5.opening(path, SCHEMA) as file:
        if problem := _problem(file):
            raise ArtefactError(f"{path} is no usable file of frames: {problem}. {facts.CURE}")
        yield file


def episodes(path: Path) -> list[tuple[int, int]]:
    """Return the runs [start, stop) of frames that are the episodes of a file."""
    with opening(path) as file:
        starts_E, lengths_E = file["episode_start"][:], file["episode_length"][:]
    return [
        (int(start), int(start + length)) for start, length in zip(starts_E, lengths_E, strict=True)
    ]


def parts(path: Path) -> list[str]:
    """Return for each episode the set that the data's authors put it in, empty where they did not.

    Raises:
        ArtefactError: the file is missing, damaged, or older than official sets.
    """
    with opening(path) as file:
        if "episode_part" not in file:
            raise ArtefactError(f"{path} does not say which sets are official. {facts.CURE}")
        return [str(part) for part in file["episode_part"].asstr()[:]]


def _problem(file: h5py.File) -> str | None:
    for name in ("frames", "episode_start", "episode_length", "episode_origin"):
        if not isinstance(file.get(name), h5py.Dataset):
            return f"the dataset {name} is missing"
    frames_NHW3 = file["frames"]
    if frames_NHW3.dtype != numpy.uint8 or frames_NHW3.shape[1:] != (*frames_NHW3.shape[1:3], 3):
        return f"frames are {frames_NHW3.dtype} {frames_NHW3.shape}, not uint8 (N, H, W, 3)"
    lengths_E = file["episode_length"][:].astype(numpy.int64)
    if (lengths_E < 1).any() or lengths_E.sum() != len(frames_NHW3):
        return f"its episodes do not add up to its {len(frames_NHW3)} frames"
    if not numpy.array_equal(file["episode_start"][:], numpy.cumsum(lengths_E) - lengths_E):
        return "its episodes do not follow each other"
    if "episode_part" in file and file["episode_part"].shape != lengths_E.shape:
        return "its episodes and their official sets do not fit each other"
    for name in ("actions", "states"):
        if name in file and not _finite(file[name], len(frames_NHW3)):
            return f"its {name} are not one finite row for each frame"
    return labels.problem(file)


def _finite(values_NA: h5py.Dataset, count: int) -> bool:
    return len(values_NA) == count and bool(numpy.isfinite(values_NA[:]).all())
