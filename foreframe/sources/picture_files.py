"""What sources of single files share: a picture is an episode, with its set and its labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from foreframe.sources import Block, Episode, in_blocks, parallel
from foreframe.sources.reading import pictures
from foreframe.sources.stills import StillSettings, rows


@dataclass(frozen=True)
class PictureFile:
    """A picture, what its episode is called, its official set ("" for none), and its labels."""

    path: Path
    origin: str
    part: str
    labels: Mapping[str, int]


def episodes(
    settings: StillSettings, files: Sequence[PictureFile], workers: int, first: int
) -> Iterator[Episode]:
    """Yield the episodes of files from number `first` on, read by `workers` processes.

    Raises:
        UserError: a picture cannot be used.
    """
    rest = files[first:]
    made = parallel.in_order(
        partial(_read, settings), rest, workers, 2 * settings.height * settings.width * 3
    )
    for file, blocks in zip(rest, made, strict=True):
        yield Episode(file.origin, len(files), blocks, file.part, file.labels)


def _read(settings: StillSettings, file: PictureFile) -> Iterator[Block]:
    picture_HW3 = pictures.read(file.path, settings.height, settings.width)
    return in_blocks(rows(picture_HW3, settings.hole))
