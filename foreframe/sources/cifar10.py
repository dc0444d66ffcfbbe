"""CIFAR-10: 60,000 pictures of 32 x 32 pixels in ten classes (Krizhevsky 2009).

The binary version is read, whose six files hold 10,000 records of 3,073 bytes each: the number of
the class, then the red, the green and the blue of the pixels, row by row. The version for Python
is pickled, and what is pickled is never read here. Each picture is an episode of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy

from foreframe.errors import UserError
from foreframe.sources import Episode, Stream
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.reading import downloads
from foreframe.sources.reading.downloads import Pin
from foreframe.sources.recordings import inside, some
from foreframe.sources.squares import SquareSettings, episode
from foreframe.sources.stills import Picture

LABEL = "class"
# In the order of their numbers (the authors' batches.meta.txt).
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

FOLDER, PICKLED = "cifar-10-batches-bin", "cifar-10-batches-py"
FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
SIDE = 32
RECORD = 1 + 3 * SIDE**2  # bytes
RECORDS = 10_000  # in each file

# As TensorFlow Datasets records it (its url_checksums/cifar10.txt).
PINS = (
    Pin(
        file="cifar-10-binary.tar.gz",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        size=170_052_171,
        unpacked=200_000_000,
        files=20,
    ),
)


class Settings(SquareSettings):
    """Size, hole, and whether to download the files instead of reading them from the folder."""

    kind: Literal["cifar10"]
    download: bool


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the pictures in the order of the files, first those to train on.

    `seed` and `workers` are not used.

    Raises:
        UserError: a file is missing or has another size, or a class has no name.
    """
    folder = downloads.obtain(PINS) if settings.download else videos
    paths, missing = _paths(folder)
    if missing:
        raise UserError(
            f"{folder} is not complete: {some(missing)} missing. Unpack CIFAR-10's binary version "
            "there again."
        )
    for path in paths.values():
        _check_size(path)
    jobs = [(part, paths[name]) for part, names in FILES.items() for name in names]

    def episodes() -> Iterator[Episode]:
        begin, skipped = divmod(first, RECORDS)
        for part, path in jobs[begin:]:
            for number, record in enumerate(_records(path, skipped), start=skipped):
                origin, total = f"{path.stem} {number}", len(jobs) * RECORDS
                label = {LABEL: _class(path, number, record)}
                yield episode(settings, _picture(record), origin, total, part, label)
            skipped = 0

    return Stream((), (), episodes(), {LABEL: CLASSES})


def _paths(folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the files by name, in the authors' folder or the folder itself, and what is missing.

    Raises:
        UserError: there is none of them.
    """
    names = [name for part in FILES.values() for name in part]
    there = {path.name for path in inside(folder)}
    place = folder / FOLDER if FOLDER in there else folder
    found = {name: place / name for name in names if (place / name).is_file()}
    if not found and there & {PICKLED, "data_batch_1"}:
        raise UserError(
            f"{folder} has CIFAR-10's version for Python, which is pickled: it could run anything, "
            "and is not read. Get the binary version, cifar-10-binary.tar.gz."
        )
    if not found:
        raise UserError(f"{folder} has no {names[0]}. Unpack CIFAR-10's binary version there.")
    return found, tuple(name for name in names if name not in found)


def _check_size(path: Path) -> None:
    size, wanted = path.stat().st_size, RECORDS * RECORD
    if size != wanted:
        raise UserError(
            f"{path} has {size:,} bytes; {RECORDS:,} pictures have {wanted:,}. Unpack it again."
        )


def _records(path: Path, first: int = 0) -> Iterator[bytes]:
    """Yield the records of a file from number `first` on."""
    with path.open("rb") as file:
        file.seek(first * RECORD)
        while record := file.read(RECORD):
            yield record


def _class(path: Path, number: int, record: bytes) -> int:
    if record[0] >= len(CLASSES):
        raise UserError(
            f"{path}, picture {number}, is of the class {record[0]}, but CIFAR-10 has 0 to "
            f"{len(CLASSES) - 1}. Unpack it again."
        )
    return record[0]


def _picture(record: bytes) -> Picture:
    colours_3HW = numpy.frombuffer(record, numpy.uint8, offset=1).reshape(3, SIDE, SIDE)
    return colours_3HW.transpose(1, 2, 0)


def _found(folder: Path) -> Found:
    """Return how many pictures of each set a folder has, by the size of the files."""
    paths, missing = _paths(folder)
    counts = {
        part: sum(paths[name].stat().st_size // RECORD for name in names if name in paths)
        for part, names in FILES.items()
    }
    return Found(counts, missing)


def _damage(folder: Path) -> Iterator[str]:
    """Yield files of another size or with unknown classes, and sets whose classes differ in size.

    The authors drew as many pictures of each class, for either set.
    """
    paths, _ = _paths(folder)
    for part, names in FILES.items():
        numbers: list[int] = []
        for path in (paths[name] for name in names if name in paths):
            try:
                _check_size(path)
                numbers += [_class(path, *each) for each in enumerate(_records(path))]
            except UserError as error:
                yield str(error)
        counts = numpy.bincount(numbers, minlength=len(CLASSES))
        if len(numbers) == len(names) * RECORDS and len(set(counts.tolist())) > 1:
            most = int(counts.argmax())
            yield (
                f"of the pictures of {part} {counts[most]:,} are of the class {CLASSES[most]}, "
                f"and should be {len(numbers) // len(CLASSES):,}"
            )


DATASET = Dataset(
    title="CIFAR-10, binary version",
    size="170 MB, one archive",
    licence="none stated by its authors",
    page="https://www.cs.toronto.edu/~kriz/cifar.html",
    files=(f"{FOLDER}/{{data_batch_1,...,data_batch_5,test_batch}}.bin (or all in the folder)",),
    unit="pictures",
    published={"train": 50_000, "test": 10_000},
    find=_found,
    damage=_damage,
    pins=PINS,
)
