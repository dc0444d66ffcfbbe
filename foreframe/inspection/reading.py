"""The frames of every set, read run by run in blocks: memory does not grow with the video.

Suffixes: N frames, H height, W width, C = 3 colours.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy
from numpy.typing import NDArray

from foreframe.config.split import SETS
from foreframe.data import frames as frames_file
from foreframe.data.clips import SplitRuns
from foreframe.errors import ArtefactError

BYTES = 4 * 2**20  # of a block, about


@dataclass(frozen=True)
class Block:
    """Successive frames of one run of a set.

    Attributes:
        set_name: the set.
        position: how many frames of this set come before.
        first: number of the first frame in the file.
        begins: whether a run begins here, so that no frame comes before.
        frames: uint8 (N, H, W, C).
    """

    set_name: str
    position: int
    first: int
    begins: bool
    frames: NDArray[numpy.uint8]


def blocks(frames_NHWC: h5py.Dataset, split: SplitRuns, size: int) -> Iterator[Block]:
    """Yield the frames of training, validation and test set in blocks of at most `size` frames."""
    for name in SETS:
        position = 0
        for start, stop in split.runs(name):
            for first in range(start, stop, size):
                last = min(first + size, stop)
                yield Block(name, position, first, first == start, frames_NHWC[first:last])
                position += last - first


def block_size(frames_NHWC: h5py.Dataset) -> int:
    """Return how many frames make a block: whole chunks of the file, about BYTES."""
    chunk: int = frames_NHWC.chunks[0]
    frame = numpy.prod(frames_NHWC.shape[1:], dtype=int)
    return max(1, BYTES // int(chunk * frame)) * chunk


@contextlib.contextmanager
def opening(frames: Path, split: SplitRuns) -> Iterator[h5py.File]:
    """Yield a file of frames that a split belongs to, open for reading.

    Raises:
        ArtefactError: the file is missing or damaged, or has fewer frames than the split.
    """
    with frames_file.opening(frames) as file:
        if max(stop for name in SETS for _, stop in split.runs(name)) > len(file["frames"]):
            raise ArtefactError(f"{frames} has fewer frames than the split. Run `dvc repro`.")
        yield file
