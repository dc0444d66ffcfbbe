"""Episodes that lie on disk one by one: what the sources of public datasets share.

Such a source says where its recordings are and in which official set; the frames of each are read
here, one at a time. A recording is a video file or some pictures of a folder.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import BLOCK, Block, Episode, SourceSettings, Stream, in_blocks, parallel
from foreframe.sources.datasets import Found
from foreframe.sources.reading import decoding, listing, pictures, seq_video, whole
from foreframe.sources.reading.resampling import chosen, seconds

# How many names a message lists before it says "and N more".
LISTED = 10

# How public datasets call the official sets.
PARTS = {"train": "train", "val": "validation", "test": "test"}

VIDEOS = (".avi", ".mkv", ".mov", ".mp4", ".webm")

Frames = Iterator[NDArray[numpy.uint8]]
Frame = TypeVar("Frame")


@dataclass(frozen=True)
class Recording:
    """Where the frames of one episode lie.

    Attributes:
        origin: what the episode is called, e.g. "boxing/person01_boxing_d1 2".
        part: its official set.
        path: a video file (a .seq file needs an interval), or the folder of the pictures.
        pictures: the names of pictures in that folder, in order of time; empty for a video.
        start: the first frame of them, counted from 0.
        stop: the frame after the last one, or None for all that follow.
        interval: seconds from one of these frames to the next. None: a video is read whole, by
            its own times, and of pictures all are kept.
    """

    origin: str
    part: str
    path: Path
    pictures: tuple[str, ...] = ()
    start: int = 0
    stop: int | None = None
    interval: Fraction | None = None

    def files(self) -> Iterator[Path]:
        """Yield the files that the frames are read from."""
        if not self.pictures:
            yield self.path
        for name in self.pictures[self.start : self.stop]:
            yield self.path / name


@dataclass(frozen=True)
class Survey:
    """What of a dataset lies in a folder.

    Attributes:
        recordings: what is there, in an order that never changes.
        missing: files that the dataset has and the folder has not.
        extra: files of the folder that are not the dataset's.
    """

    recordings: tuple[Recording, ...]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def complete(self, folder: Path) -> tuple[Recording, ...]:
        """Return the recordings if nothing is missing.

        Raises:
            UserError: names what is missing.
        """
        if self.missing:
            raise UserError(
                f"{folder} is not complete: {some(self.missing)} missing. Copy or unpack the "
                "dataset again; `foreframe data check` tells more."
            )
        return self.recordings

    def found(self) -> Found:
        """Return how many recordings each official set has, and what does not belong."""
        counts = dict.fromkeys(PARTS.values(), 0)
        for recording in self.recordings:
            counts[recording.part] += 1
        return Found({part: count for part, count in counts.items() if count}, *self._names())

    def damage(self) -> Iterator[str]:
        """Yield what is wrong with files that were cut short."""
        for recording in self.recordings:
            for path in recording.files():
                if problem := whole.problem(path):
                    yield f"{path} {problem}"

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.missing, self.extra


def stream(
    recordings: Sequence[Recording],
    settings: SourceSettings,
    workers: int,
    first: int,
    *,
    classes: Sequence[str] = (),
    of: Callable[[Recording], str] | None = None,
) -> Stream:
    """Return the recordings as episodes without actions.

    Where `of` tells what is done in a recording, that is its label `action`, one of `classes`.
    """
    numbers = {name: number for number, name in enumerate(classes)}

    def labels(recording: Recording) -> Mapping[str, int]:
        return {} if of is None else {"action": numbers[of(recording)]}

    episodes = _episodes(recordings, settings, workers, first, labels)
    return Stream((), (), episodes, {} if of is None else {"action": tuple(classes)})


def _episodes(
    recordings: Sequence[Recording],
    settings: SourceSettings,
    workers: int,
    first: int,
    labels: Callable[[Recording], Mapping[str, int]],
) -> Iterator[Episode]:
    rest = recordings[first:]
    streams = parallel.in_order(
        partial(_read, settings), rest, workers, BLOCK * settings.height * settings.width * 3
    )
    for recording, blocks in zip(rest, streams, strict=True):
        origin, part = recording.origin, recording.part
        yield Episode(origin, len(recordings), blocks, part, labels(recording))


def _read(settings: SourceSettings, recording: Recording) -> Iterator[Block]:
    nothing = numpy.empty(0, numpy.float32)
    frames = _frames(recording, settings)
    start = next(frames, None)
    if start is None:
        raise UserError(
            f"{recording.path} has no frame {recording.start + 1}, but {recording.origin} begins "
            "there. Copy the dataset again."
        )
    return in_blocks((frame, nothing, nothing) for frame in chain([start], frames))


def _frames(recording: Recording, settings: SourceSettings) -> Frames:
    height, width, wanted = settings.height, settings.width, settings.frame_interval
    if recording.pictures:
        return (pictures.read(path, height, width) for path in _wanted(recording, wanted))
    if recording.interval is None:
        return decoding.read(recording.path, height, width, wanted)
    if recording.path.suffix == ".seq":
        stored = _kept(seq_video.pictures(recording.path), recording.interval, wanted)
        return (pictures.read(each, height, width, name=str(recording.path)) for each in stored)
    video = decoding.read(recording.path, height, width, float(recording.interval))
    return _kept(islice(video, recording.start, recording.stop), recording.interval, wanted)


def _wanted(recording: Recording, wanted: float) -> list[Path]:
    paths = list(recording.files())
    if recording.interval is None:
        return paths
    return [paths[place] for place in chosen(len(paths), recording.interval, seconds(wanted))]


def _kept(frames: Iterator[Frame], recorded: Fraction, wanted: float) -> Iterator[Frame]:
    numbers = chosen(1 << 62, recorded, seconds(wanted))
    following = next(numbers)
    for place, frame in enumerate(frames):
        while following == place:
            yield frame
            following = next(numbers)


def inside(folder: Path) -> list[Path]:
    """Return what lies in a folder, in natural order, without hidden files.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"The folder {folder} does not exist. Put the dataset there.")
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(found, key=lambda path: listing.natural(path.name))


def folders(folder: Path) -> list[Path]:
    """Return the folders inside a folder, in natural order."""
    return [path for path in inside(folder) if path.is_dir()]


def picture_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the pictures in a folder, in natural order."""
    return tuple(path.name for path in inside(folder) if path.suffix.lower() in pictures.ENDINGS)


def deep(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Return the files below a folder that have one of the endings, in natural order."""
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(found, key=lambda path: listing.natural(str(path.relative_to(folder))))


def only(
    recordings: Sequence[Recording], wanted: Sequence[str] | None, of: Callable[[Recording], str]
) -> tuple[Recording, ...]:
    """Return the recordings of the wanted classes; None means all.

    Raises:
        UserError: a class that no recording has.
    """
    if wanted is None:
        return tuple(recordings)
    classes = {of(recording) for recording in recordings}
    if unknown := sorted(set(wanted) - classes):
        raise UserError(
            f"source.actions: {some(unknown)} unknown. There are: {', '.join(sorted(classes))}."
        )
    return tuple(recording for recording in recordings if of(recording) in wanted)


def some(names: Sequence[str]) -> str:
    """Return a few names and how many more there are, ready for "... missing"."""
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    verb = "is" if len(names) == 1 else "are"
    return f"{', '.join(names[:LISTED])}{more} {verb}"
