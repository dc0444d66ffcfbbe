"""FFHQ: 70,000 aligned faces of Flickr, 1024 x 1024 pixels each (Karras, Laine and Aila 2019).

Pictures lie by thousands: images1024x1024/69000/69999.png. The authors appoint the first 60,000 to
train on and call the others validation. There being no third set, these are the test set here, and
the last share of the first 60,000 validates. Copies made smaller are read if they are called alike.
Each picture is an episode of its own, scaled to the frame; there are no classes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from foreframe.errors import UserError
from foreframe.sources import Episode, Stream, picture_files
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.picture_files import PictureFile
from foreframe.sources.reading import pictures, whole
from foreframe.sources.recordings import folders, inside, some
from foreframe.sources.squares import SquareSettings

# The authors' folders, the larger pictures first; those in the wild are no squares.
FOLDERS = ("images1024x1024", "thumbnails128x128")
NAME = re.compile(r"(\d{5})\.(png|jpg|jpeg|webp)")
THOUSAND = re.compile(r"\d{2}000")
TRAINING, COUNT = 60_000, 70_000


class Settings(SquareSettings):
    """Size and hole."""

    kind: Literal["ffhq"]


@dataclass(frozen=True)
class _Copy:
    """The pictures of a folder by their numbers, and the names of files that are none of them."""

    paths: dict[int, Path]
    extra: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the pictures that are not there."""
        return tuple(f"{number:05}.png" for number in range(COUNT) if number not in self.paths)


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the pictures in the order of their numbers; `seed` is not used.

    Raises:
        UserError: some are missing, damaged, no squares, or smaller than the frame.
    """
    copy = _copy(videos)
    if copy.missing:
        raise UserError(
            f"{videos} is not complete: {some(copy.missing)} missing. Download FFHQ again, or read "
            "what there is as images."
        )
    files = [
        PictureFile(copy.paths[number], f"{number:05}", _part(number), {})
        for number in range(COUNT)
    ]
    episodes = picture_files.episodes(settings, files, workers, first)
    return Stream((), (), _checked(settings, files[first:], episodes))


def _part(number: int) -> str:
    return "train" if number < TRAINING else "test"


def _copy(folder: Path) -> _Copy:
    """Return what of FFHQ lies in the authors' folder, or else in the folder itself.

    Raises:
        UserError: there is nothing of it.
    """
    there = [path for path in folders(folder) if path.name in FOLDERS]
    place = min(there, key=lambda path: FOLDERS.index(path.name), default=folder)
    thousands = [path for path in folders(place) if THOUSAND.fullmatch(path.name)]
    paths: dict[int, Path] = {}
    extra = []
    for path in (path for part in (place, *thousands) for path in inside(part)):
        if path.suffix.lower() not in pictures.ENDINGS:
            continue
        number = _number(path)
        if number is None or number in paths:
            extra.append(path.name)
        else:
            paths[number] = path
    if not paths:
        raise UserError(
            f"{folder} has no picture such as {FOLDERS[0]}/00000/00000.png. Unpack FFHQ there."
        )
    return _Copy(paths, tuple(extra))


def _number(path: Path) -> int | None:
    """Return a picture's number; None for other files, and for those in another's thousand."""
    match = NAME.fullmatch(path.name)
    if match is None or int(match[1]) >= COUNT:
        return None
    by_thousands = THOUSAND.fullmatch(path.parent.name)
    return int(match[1]) if not by_thousands or by_thousands[0][:2] == match[1][:2] else None


def _checked(
    settings: Settings, files: Sequence[PictureFile], episodes: Iterator[Episode]
) -> Iterator[Episode]:
    """Yield the episodes, each after a look at the size that its picture says it has."""
    for file, episode in zip(files, episodes, strict=True):
        if problem := _misshapen(file.path, settings.height):
            raise UserError(f"{file.path} {problem}")
        yield episode


def _misshapen(path: Path, least: int) -> str | None:
    """Return what is wrong with the size of a picture, in words that follow its name."""
    try:
        with Image.open(path, formats=pictures.FORMATS) as picture:
            wide, high = picture.size
    except pictures.DAMAGE:
        return None  # the reader of the picture says what it is
    if wide != high:
        return f"is {wide} x {high}, but the faces of FFHQ are square. Unpack {FOLDERS[0]} again."
    if wide < least:
        return (
            f"is {wide} x {high}, smaller than frames of {least} x {least}. Use {FOLDERS[0]}, or "
            "make the frames smaller."
        )
    return None


def _found(folder: Path) -> Found:
    copy = _copy(folder)
    parts = [_part(number) for number in copy.paths]
    return Found({part: parts.count(part) for part in ("train", "test")}, copy.missing, copy.extra)


def _damage(folder: Path) -> Iterator[str]:
    for _, path in sorted(_copy(folder).paths.items()):
        if problem := whole.problem(path) or _misshapen(path, 1):
            yield f"{path} {problem}"


DATASET = Dataset(
    title="Flickr-Faces-HQ (FFHQ)",
    size="89 GB of 1024 x 1024 pixels, 2 GB of 128 x 128",
    licence="CC BY-NC-SA 4.0; the pictures CC BY 2.0, CC BY-NC 2.0 or public domain, as each says",
    page="https://github.com/NVlabs/ffhq-dataset",
    files=(
        f"{FOLDERS[0]}/00000/00000.png, ... 69000/69999.png",
        f"{FOLDERS[1]}/00000/00000.png (if the others are not there)",
        "00000/00000.png, or 00000.png (also jpg, webp: copies made smaller)",
    ),
    unit="pictures",
    published={"train": TRAINING, "test": COUNT - TRAINING},
    find=_found,
    damage=_damage,
)
