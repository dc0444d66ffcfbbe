"""Clips are windows over the runs of a set, read by number from the frames on disk.

No window crosses a run's border, and runs cross neither episodes nor sets. Suffixes: B clips,
T frames, H height, W width.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from foreframe.artefacts import facts
from foreframe.artefacts.rows import Rows
from foreframe.config.split import SETS
from foreframe.data import frames as frames_file
from foreframe.errors import ArtefactError

SCHEMA = "split"

Run = tuple[int, int]


def windows(runs: Sequence[Run], frames: int, stride: int) -> NDArray[numpy.int64]:
    """Return the first frame of every window of `frames` frames, `stride` apart within each run.

    A run [start, stop) of L frames holds 1 + floor((L - frames) / stride) windows (Xu 2022, 4.1).
    """
    starts = [numpy.arange(start, stop - frames + 1, stride) for start, stop in runs]
    return numpy.concatenate([numpy.empty(0, numpy.int64), *starts]).astype(numpy.int64)


@dataclass(frozen=True)
class SplitRuns:
    """Which frames belong to which set: runs [start, stop) of frame numbers."""

    train: tuple[Run, ...]
    validation: tuple[Run, ...]
    test: tuple[Run, ...]

    def runs(self, set_name: str) -> tuple[Run, ...]:
        """Return the runs of `train`, `validation` or `test`."""
        assert set_name in SETS, set_name
        runs: tuple[Run, ...] = getattr(self, set_name)
        return runs


def save_split(path: Path, split: SplitRuns) -> None:
    """Write a split: the runs of each set, and nothing that a model's view decides."""
    facts.write(path, SCHEMA, {name: split.runs(name) for name in SETS})


def load_split(path: Path) -> SplitRuns:
    """Read a split.

    Raises:
        ArtefactError: the file is missing, damaged, of another schema, or its sets overlap.
    """
    values = facts.read(path, SCHEMA)
    try:
        split = SplitRuns(
            train=_runs(values["train"]),
            validation=_runs(values["validation"]),
            test=_runs(values["test"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{path} is damaged: {error!r}. {facts.CURE}") from None
    runs = sorted(run for name in SETS for run in split.runs(name))
    borders = [border for run in runs for border in run]
    if borders != sorted(borders) or any(start == stop for start, stop in runs):
        raise ArtefactError(f"{path} is damaged: its runs overlap or are empty. {facts.CURE}")
    return split


def _runs(values: Any) -> tuple[Run, ...]:
    return tuple((int(start), int(stop)) for start, stop in values)


class Clips:
    """Clips of `length` frames that begin at `starts`, read from a file of frames when asked for.

    Use it as a context manager; the file is opened by the first read.
    """

    def __init__(self, frames: Path, starts: ArrayLike, length: int) -> None:
        self.frames = frames
        self.starts = numpy.asarray(starts, dtype=numpy.int64)
        self.length = length
        self._stack = contextlib.ExitStack()
        self._rows: Rows | None = None

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.starts)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """The shape of all clips together: (clips, length, height, width, 3)."""
        _, height, width, channels = self._open().shape
        return len(self), self.length, height, width, channels

    def read(self, indices: ArrayLike) -> Tensor:
        """Return the clips of these numbers, in this order: uint8 (B, T, H, W, 3).

        Raises:
            ArtefactError: the file is missing or damaged, or has fewer frames than the clips need.
        """
        numbers_B = numpy.atleast_1d(numpy.asarray(indices, dtype=numpy.int64))
        clips_BTHWC = numpy.empty((len(numbers_B), *self.shape[1:]), numpy.uint8)
        for clip_THWC, start in zip(clips_BTHWC, self.starts[numbers_B], strict=True):
            self._read(clip_THWC, int(start))
        return torch.from_numpy(clips_BTHWC)

    def _read(self, clip_THWC: NDArray[numpy.uint8], start: int) -> None:
        rows = self._open()
        if not 0 <= start <= rows.shape[0] - self.length:
            raise ArtefactError(
                f"{self.frames} has {rows.shape[0]} frames, but a clip begins at frame {start}. "
                f"The split belongs to other frames. {facts.CURE}"
            )
        try:
            rows.read(clip_THWC, start)
        except OSError as error:
            raise ArtefactError(f"{self.frames} is damaged: {error}. {facts.CURE}") from error

    def _open(self) -> Rows:
        if self._rows is None:
            file = self._stack.enter_context(frames_file.opening(self.frames))
            self._rows = Rows(file["frames"])
        return self._rows

    def __enter__(self) -> Self:
        """Return the clips themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._rows = None
        self._stack.close()
