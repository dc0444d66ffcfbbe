"""SVHN: digits of house numbers in the street, cropped to 32 x 32 pixels (Netzer et al. 2011).

The authors' files train_32x32.mat, test_32x32.mat and, if asked for, extra_32x32.mat are read: in
each `X` (32, 32, 3, N) has the pictures and `y` (N, 1) the digits, where a zero is written 10. They
hold bytes only, and nothing is unpickled. Each picture is an episode of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import numpy
from pydantic import model_validator

from foreframe.errors import UserError
from foreframe.sources import Episode, Stream
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.reading import downloads, mat_arrays
from foreframe.sources.reading.downloads import Pin
from foreframe.sources.reading.mat_arrays import Array
from foreframe.sources.recordings import inside, some
from foreframe.sources.squares import SquareSettings, episode
from foreframe.sources.stills import Picture

LABEL = "digit"
CLASSES = tuple(map(str, range(10)))
ZERO = 10  # how the files write it

FILE = "{}_32x32.mat"
# How many pictures each file has. The easier ones of `extra` come first, so that the last of those
# to train on, which validation takes where it has no set of its own, are of `train`.
COUNTS = {"extra": 531_131, "train": 73_257, "test": 26_032}
SIDE = 32

# As TensorFlow Datasets records them (its url_checksums/svhn_cropped.txt).
_PAGE = "http://ufldl.stanford.edu/housenumbers"
PINS = (
    Pin(
        file="train_32x32.mat",
        url=f"{_PAGE}/train_32x32.mat",
        sha256="435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        size=182_040_794,
        unpacked=182_040_794,
        files=1,
    ),
    Pin(
        file="test_32x32.mat",
        url=f"{_PAGE}/test_32x32.mat",
        sha256="cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        size=64_275_384,
        unpacked=64_275_384,
        files=1,
    ),
)


class Settings(SquareSettings):
    """Size, hole, and which files: `extra` trains on those 531,131 pictures as well.

    `download` fetches the two other files instead of reading them from the folder.
    """

    kind: Literal["svhn"]
    extra: bool
    download: bool

    @model_validator(mode="after")
    def _extra_is_here(self) -> Self:
        if self.extra and self.download:
            raise ValueError(
                f"download is true, but {FILE.format('extra')} (1.3 GB) is not downloaded. Put all "
                "three files into the folder, and set it to false."
            )
        return self


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the pictures in the order of the files, those of `train` before those of `test`.

    `seed` and `workers` are not used.

    Raises:
        UserError: a file is missing, damaged, or has another number of pictures.
    """
    folder = downloads.obtain(PINS) if settings.download else videos
    paths, missing = _paths(folder, settings.extra)
    if missing:
        raise UserError(
            f"{folder} is not complete: {some(missing)} missing. Copy the files there again."
        )
    files = {name: _checked(name, path) for name, path in paths.items()}
    total = sum(COUNTS[name] for name in files)

    def episodes() -> Iterator[Episode]:
        skipped = first
        for name, (pictures, digits) in files.items():
            part = "test" if name == "test" else "train"
            begin = min(skipped, len(digits))
            skipped -= begin
            rest = pictures.pieces(begin) if begin < len(digits) else ()
            for number, content in enumerate(rest, start=begin):
                labels = {LABEL: digits[number]}
                yield episode(settings, _picture(content), f"{name} {number}", total, part, labels)

    return Stream((), (), episodes(), {LABEL: CLASSES})


def _paths(folder: Path, extra: bool = True) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the files there are, by what they are for, and the names of those there are not.

    Raises:
        UserError: there is none of them.
    """
    inside(folder)
    wanted = {name: folder / FILE.format(name) for name in COUNTS if extra or name != "extra"}
    found = {name: path for name, path in wanted.items() if path.is_file()}
    if not found:
        raise UserError(
            f"{folder} has no {FILE.format('train')}. Put SVHN's cropped digits (format 2) there."
        )
    return found, tuple(path.name for name, path in wanted.items() if name not in found)


def _pictures(path: Path) -> Array:
    """Return where the pictures of a file lie."""
    found = mat_arrays.arrays(path).get("X")
    if found is None or len(found.sides) != 4 or found.sides[:3] != (SIDE, SIDE, 3):
        raise UserError(
            f"{path} has no pictures X of {SIDE} x {SIDE} pixels. Get SVHN's cropped digits "
            "(format 2)."
        )
    return found


def _checked(name: str, path: Path) -> tuple[Array, list[int]]:
    """Return where the pictures of a file lie, and the digit that each shows.

    Raises:
        UserError: there is another number of either, or a digit is none.
    """
    pictures, wanted = _pictures(path), COUNTS[name]
    if (count := pictures.sides[3]) != wanted:
        raise UserError(f"{path} has {count:,} pictures; SVHN's has {wanted:,}. Copy it again.")
    found = mat_arrays.arrays(path).get("y")
    if found is None or found.sides != (wanted, 1):
        raise UserError(f"{path} has no digit y for each of {wanted:,} pictures. Copy it again.")
    (written,) = found.pieces()
    if wrong := sorted(set(written) - set(range(1, ZERO + 1))):
        raise UserError(f"{path} has the digit {wrong[0]}; they are 1 to {ZERO}. Copy it again.")
    return pictures, [number % ZERO for number in written]


def _picture(content: bytes) -> Picture:
    """Return a picture (height, width, 3) whose values lie with the height running fastest."""
    colours_3WH = numpy.frombuffer(content, numpy.uint8).reshape(3, SIDE, SIDE)
    return colours_3WH.transpose(2, 1, 0)


def _found(folder: Path) -> Found:
    """Return how many pictures each file of a folder has; the extra ones may be missing."""
    counts, lacking = {}, []
    paths, missing = _paths(folder)
    for name, path in paths.items():
        try:
            counts[name] = _pictures(path).sides[3]
        except UserError:
            lacking.append(path.name)
    needed = [name for name in (*missing, *lacking) if name != FILE.format("extra")]
    return Found(counts, tuple(needed))


def _damage(folder: Path) -> Iterator[str]:
    """Yield what is wrong with files, each read to its end."""
    for name, path in _paths(folder)[0].items():
        try:
            for _ in _checked(name, path)[0].pieces():
                pass
        except UserError as error:
            yield str(error)


DATASET = Dataset(
    title="Street view house numbers (SVHN), cropped digits",
    size="0.25 GB, two files; the extra one 1.3 GB",
    licence="non-commercial use, as its authors say",
    page="http://ufldl.stanford.edu/housenumbers/",
    files=(
        f"{FILE.format('train')}, {FILE.format('test')}",
        f"{FILE.format('extra')} (only read if asked for)",
    ),
    unit="pictures",
    published={"train": COUNTS["train"], "test": COUNTS["test"]},
    find=_found,
    damage=_damage,
    pins=PINS,
)
