"""BDD100K: 100,000 drives of 40 seconds, 30 frames a second, in folders train, val and test.

Where lists lie beside them (train.txt, val.txt, test.txt, one name a line) only the drives that
these name are read, so that a study can say which part of the terabytes it uses (Yu et al. 2020).
"""

from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.sources import SourceSettings, Stream, recordings
from foreframe.sources.datasets import Dataset
from foreframe.sources.recordings import PARTS, Recording, Survey


class Settings(SourceSettings):
    """Size and frame interval of the frames."""

    kind: Literal["bdd100k"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the drives by set and name; `seed` is not used.

    Raises:
        UserError: there is no drive, one that a list names is missing, or one is damaged.
    """
    found = survey(videos).complete(videos)
    return recordings.stream(found, settings, workers, first)


def survey(folder: Path) -> Survey:
    """Return the drives that a folder has."""
    roots = (folder, folder / "videos", folder / "bdd100k" / "videos")
    root = next((path for path in roots if any((path / name).is_dir() for name in PARTS)), None)
    if root is None:
        raise UserError(
            f"{folder} has no folder train, val or test with drives. Unpack bdd100k_videos.zip "
            "there."
        )
    found: list[Recording] = []
    missing: list[str] = []
    for name, part in PARTS.items():
        drives = _drives(root / name)
        wanted = _list(folder / f"{name}.txt")
        for drive in sorted(drives) if wanted is None else wanted:
            if drive in drives:
                found.append(Recording(f"{name}/{drive}", part, drives[drive]))
            else:
                missing.append(f"{name}/{drive}.mov")
    if not found and not missing:
        raise UserError(f"{root} has no videos. Unpack bdd100k_videos.zip again.")
    _check_apart(folder, found)
    return Survey(tuple(found), tuple(missing))


def _drives(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    paths = (path for path in recordings.inside(folder) if path.suffix in recordings.VIDEOS)
    return {path.stem: path for path in paths}


def _list(path: Path) -> list[str] | None:
    """Return the names of a list, or None if there is no list."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").split()
    names = [Path(line).stem for line in lines]
    if len(set(names)) < len(names):
        raise UserError(f"{path} names a drive twice. Remove one of the lines.")
    return names


def _check_apart(folder: Path, found: list[Recording]) -> None:
    sets: dict[str, str] = {}
    for recording in found:
        name, _, drive = recording.origin.partition("/")
        if sets.setdefault(drive, name) != name:
            raise UserError(
                f"{folder}: the drive {drive} is in {sets[drive]} and in {name}. Unpack the "
                "dataset again."
            )


DATASET = Dataset(
    title="BDD100K driving videos",
    size="1.8 TB, one zip archive",
    licence="its own, for education, research and other non-profit use",
    page="https://bdd-data.berkeley.edu/",
    files=(
        "bdd100k/videos/{train,val,test}/0000f77c-6257be58.mov (also without the outer folders)",
        "train.txt, val.txt, test.txt (lists of those to read; may be left out)",
    ),
    unit="drives",
    # Yu et al. 2020, section 3.
    published={"train": 70_000, "validation": 10_000, "test": 20_000},
    find=lambda folder: survey(folder).found(),
    damage=lambda folder: survey(folder).damage(),
)
