"""The journal of a collection: episodes as they are recorded, so that a killed run goes on.

It lies beside the checkpoints of trainings, in a folder whose name is a digest of all that the
frames depend on. `rows` has one row for each frame; `episodes.jsonl` has one line for each complete
episode, with checksums of the line and of its rows. What these do not vouch for is dropped and made
again, so the journal needs no care when the process or the machine goes down. Suffix: N frames.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

import numpy

from foreframe.artefacts import facts, tape
from foreframe.data import labels
from foreframe.data.writing import Layout
from foreframe.errors import ArtefactError
from foreframe.sources import BLOCK, Block, Episode, SourceSettings
from foreframe.versions import code_digest

# Beside the checkpoints of trainings.
FOLDER = Path(".checkpoints")

# Bytes of rows that are read at once when their checksum is looked at.
PIECE = 1 << 20


@dataclass(frozen=True)
class Record:
    """One line: an episode's origin, set, labels and frames, the size and checksum of its rows."""

    origin: str
    part: str
    labels: Mapping[str, int]
    frames: int
    size: int
    rows: str


class Journal:
    """An open journal; `count` is how many complete episodes it holds."""

    def __init__(self, rows: tape.Tape, lines: tape.Tape) -> None:
        self._rows, self._lines = rows, lines
        self.count = rows_size = lines_size = 0
        for rows_more, line_more in _whole(rows.path, lines.path):
            self.count += 1
            rows_size += rows_more
            lines_size += line_more
        rows.cut(rows_size)
        lines.cut(lines_size)

    def record(self, episode: Episode, layout: Layout) -> Iterator[int]:
        """Append an episode block by block, yielding the number of frames of each block.

        Raises:
            UserError: the disk is full or failing, or its labels are not those of the source.
        """
        labels.check(episode.labels, layout.labels, episode.origin)
        checksum, frames, size = hashlib.sha256(), 0, 0
        for block in episode.blocks:
            content = _packed(block, layout)
            self._rows.append(content)
            checksum.update(content)
            frames, size = frames + len(block.frames), size + content.nbytes
            yield len(block.frames)
        digest = checksum.hexdigest()
        record = Record(episode.origin, episode.part, episode.labels, frames, size, digest)
        self._lines.append(_line(record))
        self.count += 1

    def records(self) -> Iterator[Record]:
        """Yield what is noted of each complete episode."""
        return (record for record, _ in _records(self._lines.path))

    def episodes(self, layout: Layout) -> Iterator[Episode]:
        """Yield the complete episodes, each to be read before the next is asked for.

        Raises:
            ArtefactError: (while an episode is read) its rows are not as they were written.
        """
        with self._rows.path.open("rb") as file:
            for record in self.records():
                blocks = self._blocks(file, record, _row(layout))
                yield Episode(record.origin, self.count, blocks, record.part, record.labels)

    def _blocks(
        self, file: BinaryIO, record: Record, row: numpy.dtype[numpy.void]
    ) -> Iterator[Block]:
        checksum, left = hashlib.sha256(), record.frames
        while left:
            content = file.read(min(left, BLOCK) * row.itemsize)
            checksum.update(content)
            rows_N = numpy.frombuffer(content, row)
            left -= len(rows_N)
            yield Block(rows_N["frame"], rows_N["action"], rows_N["state"])
        if checksum.hexdigest() != record.rows:
            raise ArtefactError(
                f"{self._rows.path} does not hold what was written to it: the disk may be failing. "
                f"Delete {self._rows.path.parent} and run `dvc repro`."
            )


@contextlib.contextmanager
def opening(folder: Path) -> Iterator[Journal]:
    """Yield the journal in `folder`, which is removed once the block ends without an error.

    Raises:
        UserError: the folder cannot be written to.
    """
    # The first tape is opened by one process at a time: another one that collects the same waits.
    with (
        tape.opening(folder / "rows") as rows,
        tape.opening(folder / "episodes.jsonl") as lines,
    ):
        journal = Journal(rows, lines)
        if journal.count:
            sys.stderr.write(f"{folder}: the collection goes on after episode {journal.count}.\n")
        yield journal
        shutil.rmtree(folder, ignore_errors=True)


def folder_of(source: SourceSettings, seed: int, videos: Path) -> Path:
    """Return the folder of the journal for these settings, this code and what lies in `videos`."""
    described = {
        "source": source.model_dump(mode="json"),
        "seed": seed,
        "videos": listing(videos),
        "code": code_digest("stages.collect", f"foreframe.sources.{source.kind}"),
        "packages": sorted(f"{found.name} {found.version}" for found in metadata.distributions()),
    }
    return FOLDER / f"collect-{hashlib.sha256(facts.canonical(described)).hexdigest()[:32]}"


def listing(folder: Path) -> str:
    """Return a digest of the names, sizes and times of change of all files below a folder.

    A folder that is missing is as good as an empty one: not every source reads it.
    """
    result = hashlib.sha256()
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            # A link to nothing has no size; what cannot be read the source will complain about.
            with contextlib.suppress(OSError):
                found = path.stat()
                entry = (str(path.relative_to(folder)), found.st_size, found.st_mtime_ns)
                result.update(repr(entry).encode())
    return result.hexdigest()


def _row(layout: Layout) -> numpy.dtype[numpy.void]:
    return numpy.dtype(
        [
            ("frame", "u1", (layout.height, layout.width, 3)),
            ("action", "<f4", (len(layout.actions),)),
            ("state", "<f4", (len(layout.states),)),
        ]
    )


def _packed(block: Block, layout: Layout) -> memoryview:
    rows_N = numpy.empty(len(block.frames), _row(layout))
    for name, values in (
        ("frame", block.frames),
        ("action", block.actions),
        ("state", block.states),
    ):
        assert values.shape == rows_N[name].shape, f"a source gave a {name} of another shape"
        assert values.dtype == rows_N[name].dtype, f"a source gave a {name} of another type"
        rows_N[name] = values
    return rows_N.view(numpy.uint8).data


def _line(record: Record) -> bytes:
    content = asdict(record)
    content["checksum"] = facts.checksum(facts.canonical(content))
    return facts.canonical(content) + b"\n"


def _records(path: Path) -> Iterator[tuple[Record, int]]:
    """Yield the records and the sizes of their lines up to the first line that is not whole."""
    with path.open("rb") as file:
        for line in file:
            try:
                content = json.loads(line)
                del content["checksum"]
                record = Record(**content)
            except (ValueError, TypeError, KeyError):
                return
            if _line(record) != line:
                return
            yield record, len(line)


def _whole(rows: Path, lines: Path) -> Iterator[tuple[int, int]]:
    """Yield the sizes of rows and line of each episode, up to the first that is damaged."""
    with rows.open("rb") as file:
        for record, size in _records(lines):
            checksum, left = hashlib.sha256(), record.size
            while piece := file.read(min(left, PIECE)):
                checksum.update(piece)
                left -= len(piece)
            if left or checksum.hexdigest() != record.rows:
                return
            yield record.size, size
