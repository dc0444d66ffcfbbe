"""Kinetics 400, 600 and 700: clips of ten seconds of human actions, named by lists (csv files).

A list has a row for each clip: its action, its video on YouTube, and its time there. Many videos
have gone since, so a copy is seldom complete (Kay et al. 2017; Carreira et al. 2018).
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.sources import SourceSettings, Stream, recordings
from foreframe.sources.datasets import Dataset
from foreframe.sources.recordings import Recording, Survey

# The names that the lists go by, the newest ones last.
LISTS = {
    "train": ("train.csv",),
    "validation": ("validate.csv", "val.csv", "validation.csv"),
    "test": ("test.csv",),
}
COLUMNS = ("youtube_id", "time_start", "time_end")

# What a video's name on YouTube may be made of.
VIDEO = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Settings(SourceSettings):
    """Size and frame interval; which actions, and what to do about clips that are not there.

    `missing: refuse` takes a complete copy only, `skip` what there is. `actions` null means all.
    """

    kind: Literal["kinetics"]
    actions: list[str] | None
    missing: Literal["refuse", "skip"]


@dataclass(frozen=True)
class _Row:
    """A row of a list: the clip's name as its file has it, its action, and its set."""

    clip: str
    action: str
    part: str


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the clips by action and name; `seed` is not used.

    Raises:
        UserError: a list is missing or contradicts itself or the folders, a clip is missing and
            may not be, or one is damaged.
    """
    here = survey(videos)
    found = here.recordings if settings.missing == "skip" else here.complete(videos)
    chosen = recordings.only(found, settings.actions, _action)
    # Of the lists, not of the clips that are there: copies then agree on the numbers. Lists to test
    # on may lack the actions, and then no clip has a label.
    classes = sorted({row.action for row in _rows(videos)})
    of = _action if all(classes) else None
    return recordings.stream(chosen, settings, workers, first, classes=classes, of=of)


def survey(folder: Path) -> Survey:
    """Return the clips of the lists that a folder has."""
    recordings.inside(folder)
    rows = list(_rows(folder))
    clips = {path.stem: path for path in recordings.deep(folder, recordings.VIDEOS)}
    found: list[Recording] = []
    missing: list[str] = []
    for row in rows:
        path = clips.pop(row.clip, None)
        if path is None:
            missing.append(f"{row.clip}.mp4")
            continue
        _check_folder(folder, path, row)
        found.append(Recording(f"{row.action or row.part}/{row.clip}", row.part, path))
    if not found:
        raise UserError(f"{folder} has none of the {len(rows):,} clips that its lists name.")
    found.sort(key=lambda recording: recording.origin)
    return Survey(tuple(found), tuple(missing), tuple(path.name for path in clips.values()))


def _action(recording: Recording) -> str:
    return recording.origin.rpartition("/")[0]


def _check_folder(folder: Path, path: Path, row: _Row) -> None:
    """Refuse a clip that lies in the folder of another action than its list says."""
    inside = path.parent.relative_to(folder).parts
    # Folders of actions lie in one for the set; other folders say nothing of the action.
    if len(inside) < 2 or not row.action:
        return
    if _plain(inside[-1]) != _plain(row.action):
        raise UserError(
            f"{path} lies in the folder of {inside[-1]}, but the list says {row.action}. Copy the "
            "lists and the clips from the same edition."
        )


def _plain(action: str) -> str:
    # Folders have underscores for blanks and drop what file systems dislike.
    return re.sub(r"[^a-z0-9]", "", action.casefold())


def _rows(folder: Path) -> Iterator[_Row]:
    """Yield the rows of all lists; a clip may be in one list only."""
    sets: dict[str, str] = {}
    for part, names in LISTS.items():
        places = [place for name in names for place in (folder / name, *folder.glob(f"*/{name}"))]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            continue
        for row in _read(path, part):
            if sets.setdefault(row.clip, path.name) != path.name:
                raise UserError(
                    f"{path} names {row.clip}, which is in {sets[row.clip]} too. Copy the lists "
                    "again."
                )
            yield row
    if not sets:
        known = ", ".join(name for names in LISTS.values() for name in names)
        raise UserError(f"{folder} has no list ({known}). Put the dataset's lists there.")


def _read(path: Path, part: str) -> Iterator[_Row]:
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        try:
            lacking = sorted(set(COLUMNS) - set(table.fieldnames or ()))
            if lacking:
                raise UserError(f"{path} lacks the columns {', '.join(lacking)}. Copy it again.")
            for row in table:
                yield _row(path, table.line_num, row, part)
        except (csv.Error, UnicodeDecodeError) as error:
            raise UserError(
                f"{path}, line {table.line_num}, cannot be read ({error}). Copy it again."
            ) from None


def _row(path: Path, line: int, row: dict[str, str], part: str) -> _Row:
    video, start, stop = (row[column] or "" for column in COLUMNS)
    try:
        if not VIDEO.fullmatch(video):
            raise ValueError(video)
        clip = f"{video}_{int(float(start)):06}_{int(float(stop)):06}"
    except (ValueError, OverflowError):
        raise UserError(
            f"{path}, line {line}: {video!r} from {start!r} to {stop!r} is no clip. Copy the list "
            "again."
        ) from None
    # Lists to test on were first published without actions.
    action = (row.get("label") or "").strip()
    if "/" in action or not action.isprintable():
        raise UserError(f"{path}, line {line}: {action!r} is no action. Copy the list again.")
    return _Row(clip, action, part)


# Editions differ, and the lists are what is counted against. Kinetics-600 began with 370,582 clips
# to train on, 28,313 to validate and 56,618 to test.
DATASET = Dataset(
    title="Kinetics 400, 600 and 700",
    size="779 GB (Kinetics-600)",
    licence="the lists: CC BY 4.0; the videos belong to those who made them",
    page="https://github.com/cvdfoundation/kinetics-dataset",
    files=(
        "train.csv, validate.csv, test.csv (in the folder, or in one inside it)",
        "train/abseiling/VIDEO_000010_000020.mp4 (also without folders of actions)",
    ),
    unit="clips",
    published={},
    find=lambda folder: survey(folder).found(),
    damage=lambda folder: survey(folder).damage(),
)
