"""CelebA: 202,599 faces, cut out around the eyes and mouth by its authors (Liu et al. 2015).

Each picture is an episode of its own. Its middle is kept and scaled to the frame; with a hole it is
the inpainting of Glissov and Konradsen 2021, figures A.3 to A.5, whose 2 bits are the view's. The
authors' table of 40 attributes, if it lies there, gives the labels.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.sources import Stream, picture_files
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.picture_files import PictureFile
from foreframe.sources.reading import pictures, whole
from foreframe.sources.recordings import inside, some
from foreframe.sources.stills import StillSettings

FOLDER, ATTRIBUTES = "img_align_celeba", "list_attr_celeba.txt"
CLASSES = ("no", "yes")
NAME = re.compile(r"(\d{6})\.(jpg|png)")
# The number of the last picture of each of the authors' sets (their list_eval_partition.txt).
LAST = {"train": 162_770, "validation": 182_637, "test": 202_599}
FIRST, NEXT = 20_000, 6_838  # of the thesis: to train on, to test on


class Settings(StillSettings):
    """Size, hole, and which pictures are trained on.

    `sets`: authors, by the number in a picture's name; or first_20000, the first 20,000 pictures of
    the folder, and the next 6,838 or fewer for testing.
    """

    kind: Literal["celeba"]
    sets: Literal["authors", "first_20000"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the pictures of the folder, in natural order of their names; `seed` is not used.

    Raises:
        UserError: some are missing, a name has no number, or the table is damaged.
    """
    paths = _paths(videos)
    if settings.sets == "first_20000":
        paths = paths[: FIRST + NEXT]
    if settings.sets == "authors" and (missing := _found(videos).missing):
        raise UserError(
            f"{videos} is not complete: {some(missing)} missing. Unpack {FOLDER}.zip again, or "
            "set source.sets to first_20000."
        )
    names, table = _attributes(videos)
    files = [
        PictureFile(path, path.name, _part(settings.sets, place, path), _labels(path, names, table))
        for place, path in enumerate(paths)
    ]
    episodes = picture_files.episodes(settings, files, workers, first)
    return Stream((), (), episodes, dict.fromkeys(names, CLASSES))


def _paths(folder: Path) -> list[Path]:
    """Return the pictures in the authors' folder, or else in the folder itself."""
    place = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    found = [path for path in inside(place) if path.suffix.lower() in pictures.ENDINGS]
    if not found:
        raise UserError(
            f"{folder} has no picture. Unpack {FOLDER}.zip of CelebA there, or put pictures of "
            "faces into it."
        )
    return found


def _part(sets: str, place: int, path: Path) -> str:
    """Return the set of the picture at a place of the order."""
    if sets == "first_20000":
        return "train" if place < FIRST else "test"
    number = _number(path)
    if number is None:
        raise UserError(
            f"{path} is not called as CelebA's pictures are, such as 000001.jpg, and its set is "
            "not known. Set source.sets to first_20000, or remove it."
        )
    return next(part for part, last in LAST.items() if number <= last)


def _number(path: Path) -> int | None:
    match = NAME.fullmatch(path.name)
    return int(match[1]) if match and 1 <= int(match[1]) <= LAST["test"] else None


def _labels(
    path: Path, names: tuple[str, ...], table: Mapping[str, tuple[int, ...]]
) -> dict[str, int]:
    """Return 0 or 1 for each attribute; nothing without a table."""
    if not names:
        return {}
    stem = f"{path.stem}.jpg"  # the table says jpg of the pictures in PNG, too
    if stem not in table:
        raise UserError(f"{ATTRIBUTES} has no line for {path.name}. Copy it again, or remove it.")
    return dict(zip(names, table[stem], strict=True))


def _attributes(folder: Path) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """Return the names of the attributes and those of each picture; nothing without a table."""
    path = next(
        (place for place in (folder / ATTRIBUTES, folder.parent / ATTRIBUTES) if place.is_file()),
        None,
    )
    if path is None:
        return (), {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = tuple(lines[1].split()) if len(lines) > 1 else ()
    table = {}
    for line in lines[2:]:
        name, *values = line.split() or [""]
        if len(values) != len(names) or not set(values) <= {"-1", "1"}:
            raise UserError(f"{path}: {line!r} is not understood. Copy the file again.")
        table[name] = tuple(int(value == "1") for value in values)
    if not names or lines[0].strip() != str(len(table)):
        raise UserError(f"{path} does not have as many lines as it says. Copy the file again.")
    return names, table


def _found(folder: Path) -> Found:
    """Return how many pictures of the authors' sets a folder has."""
    paths = _paths(folder)
    numbers = {number for number in map(_number, paths) if number is not None}
    counts, start = {}, 0
    for part, last in LAST.items():
        counts[part] = sum(start < number <= last for number in numbers)
        start = last
    missing = sorted(set(range(1, LAST["test"] + 1)) - numbers)
    extra = [path.name for path in paths if _number(path) is None]
    return Found(counts, tuple(f"{number:06}.jpg" for number in missing), tuple(extra))


def _damage(folder: Path) -> Iterator[str]:
    for path in _paths(folder):
        if problem := whole.problem(path):
            yield f"{path} {problem}"


DATASET = Dataset(
    title="CelebFaces attributes (CelebA), aligned and cropped",
    size="1.4 GB",
    licence="non-commercial research, as its authors say",
    page="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    files=(
        f"{FOLDER}/000001.jpg (or .png, or all in the folder itself)",
        f"{ATTRIBUTES} (40 attributes of each; may be left out)",
    ),
    unit="pictures",
    published={"train": 162_770, "validation": 19_867, "test": 19_962},
    find=_found,
    damage=_damage,
)
