"""NaturalImageNet: twenty classes of animals picked out of ImageNet by hand (Coppock 2020, 3.3).

Its author's release (Zenodo, record 5846979) has the folders NaturalImageNetTrain and
NaturalImageNetTest with a folder for each class. Copies made from ImageNet itself, whose folders
are called by WordNet's numbers, are read as well, with two such sets or with none. Each picture is
an episode of its own, whose square middle is kept.

How many pictures there are is not settled. The document wants more than 2,000 of each class, but
its confusion matrix counts 2,198 in all, which as one of five folds makes 10,990; so none is held
against a copy, and `foreframe data check` counts each class.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.sources import Stream, picture_files
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.picture_files import PictureFile
from foreframe.sources.reading import whole
from foreframe.sources.recordings import folders, inside, picture_names, some
from foreframe.sources.squares import SquareSettings

LABEL = "class"

# WordNet's number of each class but the one that is two.
WORDNET = {
    "African Elephant": "n02504458", "Brown Bear": "n02132136", "Chameleon": "n01693783",
    "Deer": "n02430045", "Dragonfly": "n02268443", "Giant Panda": "n02510455",
    "Gorilla": "n02480855", "Hawk": "n01605630", "King Penguin": "n02056570",
    "Kingfisher": "n01827403", "Koala": "n01882714", "Ladybug": "n02165456", "Lion": "n02129165",
    "Meerkat": "n02138441", "Orangutan": "n02480495", "Red Fox": "n02119022", "Snail": "n01944390",
    "Tiger": "n02129604", "White Rhino": "n02392824",
}  # fmt: skip
# The list of classes says Peacock, a figure's caption Peacock Butterfly.
PEACOCK = {"bird": "n01806143", "butterfly": "n02279257"}
Peacock = Literal["bird", "butterfly"]
# In the order of the document's confusion matrices.
CLASSES = tuple(sorted([*WORDNET, "Peacock"]))
# How else the figure's captions call them.
CAPTIONS = {"Giant Panda": "Panda", "Peacock": "Peacock Butterfly"}

SETS = {"train": ("NaturalImageNetTrain", "train"), "test": ("NaturalImageNetTest", "test")}


class Settings(SquareSettings):
    """Size, hole, and which animal the class Peacock is: the bird or the butterfly."""

    kind: Literal["natural_imagenet"]
    peacock: Peacock


@dataclass(frozen=True)
class _Copy:
    """What a folder has of the classes.

    Attributes:
        pictures: the pictures of each class by set, "" where there are no sets.
        missing: the names of sets, and of classes in a set, that are not there.
        extra: the names of folders that are none of the classes'.
    """

    pictures: Mapping[str, Mapping[str, Sequence[Path]]]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the pictures of each set, the classes evenly mixed; `seed` is not used.

    Any stretch of a set then has of each class its share: the last pictures to train on, which
    validation takes, are of all classes.

    Raises:
        UserError: a set or a class is missing, empty or there twice, or a picture is damaged.
    """
    copy = _copy(videos, settings.peacock)
    if copy.missing:
        others = f" Of no class {some(copy.extra)}." if copy.extra else ""
        raise UserError(
            f"{videos} is not complete: {some(copy.missing)} missing.{others} Call each folder by "
            "its class or by WordNet's number, and look at source.peacock."
        )
    files = [
        PictureFile(path, path.relative_to(videos).as_posix(), part, {LABEL: CLASSES.index(label)})
        for part, by_class in copy.pictures.items()
        for path, label in _mixed(by_class)
    ]
    episodes = picture_files.episodes(settings, files, workers, first)
    return Stream((), (), episodes, {LABEL: CLASSES})


def _mixed(by_class: Mapping[str, Sequence[Path]]) -> Iterator[tuple[Path, str]]:
    """Yield pictures with their classes so that every class is used up equally fast."""
    placed = [
        ((rank + 0.5) / len(paths), CLASSES.index(label), path)
        for label, paths in by_class.items()
        for rank, path in enumerate(paths)
    ]
    # No two of a class have the same place, so paths are never compared.
    for _, number, path in sorted(placed):
        yield path, CLASSES[number]


def _copy(folder: Path, peacock: Peacock) -> _Copy:
    found: dict[str, dict[str, list[Path]]] = {}
    missing: list[str] = []
    extra: list[str] = []
    for part, place in _sets(folder).items():
        if place is None:
            missing.append(SETS[part][0])
            continue
        by_class, others = _by_class(place, peacock)
        numbers = {**WORDNET, "Peacock": PEACOCK[peacock]}
        lacking = [name for name in CLASSES if name not in by_class]
        missing += [f"{part} {name} ({numbers[name]})".lstrip() for name in lacking]
        extra += others
        found[part] = {name: _pictures(by_class[name]) for name in CLASSES if name in by_class}
    return _Copy(found, tuple(missing), tuple(extra))


def _sets(folder: Path) -> dict[str, Path | None]:
    """Return where each set is, None where it is not; the folder itself if there are none."""
    there = {path.name: path for path in folders(folder)}
    found = {
        part: next((there[name] for name in names if name in there), None)
        for part, names in SETS.items()
    }
    return found if any(found.values()) else {"": folder}


def _by_class(folder: Path, peacock: Peacock) -> tuple[dict[str, Path], list[str]]:
    """Return the folders of the classes, and the names of the others.

    Raises:
        UserError: two folders are of one class.
    """
    names = {_plain(name): name for name in CLASSES}
    names |= {number: name for name, number in WORDNET.items()}
    names |= {_plain(caption): name for name, caption in CAPTIONS.items()}
    names[PEACOCK[peacock]] = "Peacock"
    if peacock == "bird":
        del names[_plain(CAPTIONS["Peacock"])]
    found: dict[str, Path] = {}
    others = []
    for path in folders(folder):
        name = names.get(_plain(path.name))
        if name is None:
            others.append(path.name)
        elif name in found:
            raise UserError(
                f"{path} and {found[name].name} are both of the class {name}. Remove one of them."
            )
        else:
            found[name] = path
    return found, others


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _pictures(folder: Path) -> list[Path]:
    found = [folder / name for name in picture_names(folder)]
    if not found:
        raise UserError(f"The folder {folder} has no pictures. Unpack the dataset again.")
    return found


def _whole(folder: Path) -> _Copy:
    """Return what a folder has, with the peacock of which it has more.

    Raises:
        UserError: there is none of the classes.
    """
    inside(folder)
    copies = [_copy(folder, "butterfly"), _copy(folder, "bird")]
    copy = min(copies, key=lambda copy: len(copy.missing))
    if not any(copy.pictures.values()):
        raise UserError(
            f"{folder} has none of NaturalImageNet's classes. Unpack {SETS['train'][0]}.zip and "
            f"{SETS['test'][0]}.zip there."
        )
    return copy


def _found(folder: Path) -> Found:
    """Return how many pictures each set and each class has."""
    copy = _whole(folder)
    counts = {
        part or "all": sum(map(len, by_class.values())) for part, by_class in copy.pictures.items()
    }
    for name in CLASSES:
        number = sum(len(by_class.get(name, ())) for by_class in copy.pictures.values())
        counts |= {name: number} if number else {}
    return Found(counts, copy.missing, copy.extra)


def _damage(folder: Path) -> Iterator[str]:
    for by_class in _whole(folder).pictures.values():
        for path in (path for paths in by_class.values() for path in paths):
            if problem := whole.problem(path):
                yield f"{path} {problem}"


DATASET = Dataset(
    title="NaturalImageNet, twenty classes of ImageNet",
    size="not stated; two archives",
    licence="none found; ImageNet's own: non-commercial research",
    page="https://zenodo.org/record/5846979",
    files=(
        "NaturalImageNetTrain/African Elephant/..., NaturalImageNetTest/African Elephant/...",
        "train/n02504458/..., test/n02504458/... (WordNet's numbers; or without the two sets)",
    ),
    unit="pictures",
    published={},
    find=_found,
    damage=_damage,
)
