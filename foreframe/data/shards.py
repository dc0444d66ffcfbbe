"""Parts of a data set: whole episodes of a source in files of frames of their own.

A file says of which source, seed, folder and episodes it is, so that parts that do not belong
together are refused. Suffixes: E episodes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import h5py
import numpy
from pydantic import Field, ValidationError

from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.rows import Rows
from foreframe.config.base import Folder, Strict
from foreframe.config.variants import Name
from foreframe.data import frames as frames_file
from foreframe.data import labels
from foreframe.errors import ArtefactError, UserError
from foreframe.sources import BLOCK, Block, Episode, SourceSettings

DATASET = "shard"
SCHEMA = "shards"  # which frames of each part are whose
LATENTS = "latents_shard"

Span = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]]


class Shard(Strict):
    """The episodes of one part: `count` of them from number `first` on, or with null all of these.

    `videos` is the folder that a source of files reads; parts may have folders of their own.
    """

    videos: Folder
    first: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=1)] | None


Shards = dict[Name, Shard]  # in the order of their episodes


class ShardRuns(Strict):
    """The runs [start, stop) of each set in a part, counted from its first frame."""

    train: tuple[Span, ...]
    validation: tuple[Span, ...]
    test: tuple[Span, ...]

    def of(self, set_name: str) -> tuple[Span, ...]:
        """Return the runs of a set."""
        runs: tuple[Span, ...] = getattr(self, set_name)
        return runs


class Origin(Strict):
    """What a file of one part is of; `source` are the source's settings as JSON."""

    source: str
    seed: int
    videos: str
    first: int

    @classmethod
    def of(cls, shard: Shard, source: SourceSettings, seed: int) -> "Origin":
        """Return what the file of a part will say of itself."""
        settings = facts.canonical(source.model_dump(mode="json")).decode()
        return cls(source=settings, seed=seed, videos=shard.videos.as_posix(), first=shard.first)


def describe(file: h5py.File, origin: Origin) -> None:
    """Write into a file of frames what part of what it is."""
    hdf5.store(file, DATASET, numpy.array([origin.model_dump_json()], dtype=object))


def path_of(folder: Path, name: str) -> Path:
    """Return where the file of a part lies."""
    return folder / f"{name}.h5"


@dataclass(frozen=True)
class Found:
    """A part's file and the number of frames of each of its episodes."""

    path: Path
    lengths: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return sum(self.lengths)


def find(folder: Path, shards: Shards, source: SourceSettings, seed: int) -> dict[str, Found]:
    """Return the files of all parts by name, after a look at what each is of.

    Raises:
        UserError: there is no part, or one of them does not begin where those before it end.
        ArtefactError: a file is missing or damaged, or is of another source, seed or episodes.
    """
    if not shards:
        raise UserError("There is no shard. Name one at least.")
    found: dict[str, Found] = {}
    ends: dict[Path, int] = {}
    columns: tuple[object, ...] = ()
    beginnings: dict[str, str] = {}
    for name, shard in shards.items():
        path = path_of(folder, name)
        if not path.exists():
            raise ArtefactError(
                f"{path} does not exist, but the shard {name} is listed. See that the stage that "
                "collects shards has its name too, and run `dvc repro`."
            )
        with frames_file.opening(path) as file:
            found[name] = Found(path, tuple(file["episode_length"][:].tolist()))
            count = len(found[name].lengths)
            _check_origin(path, file, Origin.of(shard, source, seed))
            _check_place(name, shard, count, ends.get(shard.videos, 0), path)
            columns = columns or _columns(file)
            if columns != _columns(file):
                raise UserError(
                    f"{path} has other actions, states or classes than the first of the shards. "
                    "Give all shards data of one kind."
                )
            if (
                shard.first == 0
                and (other := beginnings.setdefault(_beginning(file), name)) != name
            ):
                raise UserError(
                    f"The shards {other} and {name} begin with the same episode: the source does "
                    "not read their folders, or these hold the same files. Give these shards one "
                    "folder, and each other episodes of it."
                )
        ends[shard.videos] = shard.first + count
    return found


def _check_origin(path: Path, file: h5py.File, wanted: Origin) -> None:
    if DATASET not in file:
        raise ArtefactError(f"{path} does not say which episodes it holds. {facts.CURE}")
    try:
        found = Origin.model_validate_json(file[DATASET].asstr()[0])
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ArtefactError(f"{path} is damaged: {problem}. {facts.CURE}") from None
    words = {
        "source": "with other settings of its source",
        "seed": f"with the seed {found.seed}, not {wanted.seed}",
        "videos": f"from {found.videos}, not {wanted.videos}",
        "first": f"from episode {found.first} on, not {wanted.first}",
    }
    for name, text in words.items():
        if getattr(found, name) != getattr(wanted, name):
            raise ArtefactError(f"{path} was collected {text}. {facts.CURE}")


def _check_place(name: str, shard: Shard, count: int, end: int, path: Path) -> None:
    if shard.count not in (None, count):
        raise ArtefactError(
            f"{path} has {count} episodes, but the shard {name} {shard.count}. {facts.CURE}"
        )
    if shard.first != end:
        raise UserError(
            f"The shard {name} begins with episode {shard.first} of {shard.videos}, but those "
            f"before it hold {end}: one is missing, doubled or out of order. Correct first and "
            "count of the shards."
        )


def _columns(file: h5py.File) -> tuple[object, ...]:
    names = ("frame_interval", "action_names", "state_names", labels.ATTRIBUTE)
    return (file["frames"].shape[1:], *(file.attrs.get(name) for name in names))


def _beginning(file: h5py.File) -> str:
    """Return a digest of the first episode: its origin and its frames."""
    result = hashlib.sha256(file["episode_origin"].asstr()[0].encode())
    length = int(file["episode_length"][0])
    for first in range(0, length, BLOCK):
        result.update(file["frames"][first : min(first + BLOCK, length)].tobytes())
    return result.hexdigest()


def episodes(file: h5py.File, total: int) -> Iterator[Episode]:
    """Yield the episodes of a file of frames, each to be read before the next is asked for."""
    rows = Rows(file["frames"])
    origins, parts = (file[f"episode_{name}"].asstr()[:] for name in ("origin", "part"))
    known = {name: file[f"{labels.GROUP}/{name}"][:].tolist() for name in labels.classes(file)}
    start = 0
    for number, length in enumerate(file["episode_length"][:].tolist()):
        yield Episode(
            origin=str(origins[number]),
            total=total,
            blocks=_blocks(file, rows, start, start + length),
            part=str(parts[number]),
            labels={name: values[number] for name, values in known.items()},
        )
        start += length


def _blocks(file: h5py.File, rows: Rows, start: int, stop: int) -> Iterator[Block]:
    for first in range(start, stop, BLOCK):
        part = slice(first, min(first + BLOCK, stop))
        count = part.stop - part.start
        frames = numpy.empty((count, *rows.shape[1:]), numpy.uint8)
        rows.read(frames, first)
        nothing = numpy.empty((count, 0), numpy.float32)
        actions, states = (
            file[name][part] if name in file else nothing for name in ("actions", "states")
        )
        yield Block(frames, actions, states)
