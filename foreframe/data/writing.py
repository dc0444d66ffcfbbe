"""Writing frames.h5 as episodes arrive: never more than a block and a chunk of frames in memory.

Apart from the reading (`foreframe.data.frames`), so that a new source makes no trained model stale.
Suffixes: N frames, H height, W width, A action channels, S states, E episodes.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy
from numpy.typing import NDArray

from foreframe.artefacts import hdf5
from foreframe.data import labels as classes_of
from foreframe.data.frames import SCHEMA
from foreframe.data.labels import Classes
from foreframe.sources import Block, Episode


@dataclass(frozen=True)
class Layout:
    """What the frames of one file have in common.

    Attributes:
        height, width: size of a frame in pixels.
        frame_interval: seconds from one frame to the next.
        source: the kind of source.
        actions: names of the action channels, empty if there are none.
        states: names of what the source knows of the scene in a frame, empty if nothing.
        labels: names of the classes of episodes by the label's name, empty if there are none.
        chunk: frames in one chunk of the file.
    """

    height: int
    width: int
    frame_interval: float
    source: str
    actions: tuple[str, ...]
    states: tuple[str, ...]
    labels: Classes
    chunk: int


class Writer:
    """Appends episodes to an open file and holds less than a chunk and a block of frames itself."""

    def __init__(self, file: hdf5.File, layout: Layout) -> None:
        self.file, self.chunk = file, layout.chunk
        shape = (layout.height, layout.width, 3)
        self.frames = _Column(file, "frames", shape, numpy.uint8, layout.chunk)
        self.actions = self._numbers("actions", len(layout.actions))
        self.states = self._numbers("states", len(layout.states))
        self.lengths: list[int] = []
        self.origins: list[str] = []
        self.parts: list[str] = []
        self.labels: dict[str, list[int]] = {name: [] for name in layout.labels}

    def _numbers(self, name: str, count: int) -> "_Column | None":
        if not count:
            return None
        # Rows of numbers are small: more of them in a chunk, which ends where one of frames does.
        return _Column(self.file, name, (count,), numpy.float32, 64 * self.chunk)

    def add(self, episode: Episode) -> Iterator[int]:
        """Append an episode block by block, yielding the number of frames of each block."""
        self.origins.append(episode.origin)
        self.parts.append(episode.part)
        for name, values in self.labels.items():
            values.append(episode.labels[name])
        self.lengths.append(0)
        for block in episode.blocks:
            self._add(block)
            yield len(block.frames)

    def finish(self) -> None:
        """Write what is left and the table of episodes."""
        for column in (self.frames, self.actions, self.states):
            if column is not None:
                column.flush()
        lengths_E = numpy.array(self.lengths, numpy.int64)
        hdf5.store(self.file, "episode_start", numpy.cumsum(lengths_E) - lengths_E)
        hdf5.store(self.file, "episode_length", lengths_E)
        hdf5.store(self.file, "episode_origin", numpy.array(self.origins, dtype=object))
        hdf5.store(self.file, "episode_part", numpy.array(self.parts, dtype=object))
        classes_of.store(self.file, self.labels)

    def _add(self, block: Block) -> None:
        # In pieces that end where chunks end: the file's bytes do not depend on the blocks.
        start = 0
        while start < len(block.frames):
            stop = start + self.chunk - len(self.frames.pending)
            self.frames.add(block.frames[start:stop])
            if self.actions is not None:
                self.actions.add(block.actions[start:stop])
            if self.states is not None:
                self.states.add(block.states[start:stop])
            start = stop
        self.lengths[-1] += len(block.frames)
        # A full disk is noticed here, not at the end of a long recording.
        self.file.check()


class _Column:
    """A dataset that grows by whole chunks; `pending` waits for its chunk to fill."""

    def __init__(
        self,
        file: h5py.File,
        name: str,
        shape: tuple[int, ...],
        dtype: type[numpy.generic],
        chunk: int,
    ) -> None:
        self.dataset = hdf5.dataset(
            file, name, (0, *shape), dtype, chunks=(chunk, *shape), maxshape=(None, *shape)
        )
        self.chunk = chunk
        self.pending: NDArray[numpy.generic] = numpy.empty((0, *shape), dtype)

    def add(self, rows: NDArray[numpy.generic]) -> None:
        self.pending = numpy.concatenate([self.pending, rows])
        if len(self.pending) >= self.chunk:
            self.flush()

    def flush(self) -> None:
        old = len(self.dataset)
        self.dataset.resize(old + len(self.pending), axis=0)
        self.dataset[old:] = self.pending
        self.pending = self.pending[:0]


@contextlib.contextmanager
def creating(path: Path, layout: Layout) -> Iterator[Writer]:
    """Yield a writer of a new file that replaces `path` once the block ends without an error.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    attributes = {
        "frame_interval": layout.frame_interval,
        "source": layout.source,
        "action_names": json.dumps(layout.actions),
        "state_names": json.dumps(layout.states),
        **classes_of.attributes(layout.labels),
    }
    with hdf5.creating(path, SCHEMA, attributes) as file:
        writer = Writer(file, layout)
        yield writer
        writer.finish()
