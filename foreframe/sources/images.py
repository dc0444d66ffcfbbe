"""Folders of pictures: each picture is an episode of its own, its folder may be its class.

    ROOT/[train|val|test/][CLASS/]PICTURE

A picture is scaled so that its middle fills the frame (Coppock 2020 crops as much to a square).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.sources import Stream, picture_files
from foreframe.sources.picture_files import PictureFile
from foreframe.sources.reading import listing, pictures
from foreframe.sources.recordings import PARTS, inside
from foreframe.sources.stills import StillSettings

LABEL = "class"


class Settings(StillSettings):
    """Size, hole, and what the folders say.

    `classes`: folders, each of which is a class; or none, and folders at any depth say nothing.
    """

    kind: Literal["images"]
    classes: Literal["folders", "none"]


@dataclass(frozen=True)
class Still:
    """A picture, its official set ("" where there is none), and the name of its class."""

    path: Path
    part: str
    label: str


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the pictures by set and class, in natural order of their names; `seed` is not used.

    Folders are looked at before any picture is read.

    Raises:
        UserError: a folder is missing or empty, holds another file, or classes are fewer than two
            or not the same in all sets; or a picture cannot be used.
    """
    named = settings.classes == "folders"
    stills = [
        still
        for part, folder in _sets(videos)
        for still in (_classified(folder, part) if named else _all(folder, part))
    ]
    classes = _classes(videos, stills) if named else ()

    files = [
        PictureFile(
            still.path,
            still.path.relative_to(videos).as_posix(),
            still.part,
            {LABEL: classes.index(still.label)} if named else {},
        )
        for still in stills
    ]
    episodes = picture_files.episodes(settings, files, workers, first)
    return Stream((), (), episodes, {LABEL: classes} if named else {})


def _sets(root: Path) -> list[tuple[str, Path]]:
    """Return the folders of the official sets, or the folder itself where it has none."""
    found = {path.name: path for path in inside(root) if path.is_dir() and path.name in PARTS}
    if not found:
        return [("", root)]
    others = [path.name for path in _content(root) if path.name not in found]
    if others:
        raise UserError(
            f"{root} has {' and '.join(found)}, which are sets, and beside them {others[0]}. Put "
            "it into one of the sets, or remove it."
        )
    return [(part, found[name]) for name, part in PARTS.items() if name in found]


def _classified(folder: Path, part: str) -> Iterator[Still]:
    for path in _content(folder):
        if not path.is_dir():
            raise UserError(
                f"{path} lies outside of the folder of a class. Move it into one, or set "
                "source.classes to none."
            )
        for still in _all(path, part):
            yield Still(still.path, part, path.name)


def _all(folder: Path, part: str) -> Iterator[Still]:
    """Yield the pictures of a folder and of those below it."""
    content = _content(folder)
    if not content:
        raise UserError(f"The folder {folder} has no pictures. Put some into it, or remove it.")
    for path in content:
        if path.is_dir():
            yield from _all(path, part)
        elif path.suffix.lower() in pictures.ENDINGS:
            yield Still(path, part, "")
        else:
            raise UserError(
                f"{path} is no image ({', '.join(pictures.ENDINGS)}). Remove it from the folder."
            )


def _content(folder: Path) -> list[Path]:
    return [path for path in inside(folder) if not path.name.startswith(listing.SKIPPED)]


def _classes(root: Path, stills: list[Still]) -> tuple[str, ...]:
    """Return the names of the classes, which all sets must have."""
    found: dict[str, set[str]] = {}
    for still in stills:
        found.setdefault(still.part, set()).add(still.label)
    every = sorted(set().union(*found.values()), key=listing.natural)
    for part, names in found.items():
        if missing := [name for name in every if name not in names]:
            raise UserError(
                f"{root} has the class {missing[0]}, but not in {part}. Give every set all "
                "classes, or remove it from the others."
            )
    if len(every) < 2:
        raise UserError(
            f"{root} has one class, {every[0]}, and nothing to tell it from. Add another folder, "
            "or set source.classes to none."
        )
    return tuple(every)
