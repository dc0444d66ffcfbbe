"""KTH human actions: 25 people, six actions, four scenes, 25 grey frames a second.

A recording shows an action several times. Where the authors' list of the parts in which the person
is seen (00sequences.txt) lies beside the recordings, each part is an episode; else each recording
is one. Videos and folders of pictures are read (Schuldt, Laptev and Caputo 2004).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from foreframe.errors import UserError
from foreframe.sources import SourceSettings, Stream, recordings
from foreframe.sources.datasets import Dataset
from foreframe.sources.recordings import Recording, Survey

Action = Literal["boxing", "handclapping", "handwaving", "jogging", "running", "walking"]
ACTIONS: tuple[Action, ...] = get_args(Action)
PEOPLE = range(1, 26)
SCENES = range(1, 5)
INTERVAL = Fraction(1, 25)  # seconds

# The one recording that the authors list as missing.
MISSING = "person13_handclapping_d3"

LIST = "00sequences.txt"

NAME = re.compile(rf"person(\d\d)_({'|'.join(ACTIONS)})_d(\d)(_uncomp)?")
LINE = re.compile(r"(person\d\d_[a-z]+_d\d)\s+frames\s+(\d+-\d+(?:,\s*\d+-\d+)*)")

# People by their set. first_20 is the split of SVG (Denton and Fergus 2018) and first_16 that of
# MCnet (Villegas et al. 2017); authors is the one of 00sequences.txt.
PEOPLE_OF: dict[str, dict[str, Sequence[int]]] = {
    "first_20": {"train": range(1, 21), "test": range(21, 26)},
    "first_16": {"train": range(1, 17), "test": range(17, 26)},
    "authors": {
        "train": range(11, 19),
        "validation": (1, 4, 19, 20, 21, 23, 24, 25),
        "test": (2, 3, 5, 6, 7, 8, 9, 10, 22),
    },
}


class Settings(SourceSettings):
    """Size and frame interval; whose recordings are trained on, and which actions are read.

    `people` is the split: first_20 (train on people 1 to 20, test on 21 to 25), first_16 or
    authors (8 for training, 8 for validation, 9 for testing). `actions` null means all six.
    """

    kind: Literal["kth"]
    people: Literal["first_20", "first_16", "authors"]
    actions: list[Action] | None


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the parts of all recordings, by person, action and scene; `seed` is not used.

    So a last share of them, which validation takes, is of few people and all actions.

    Raises:
        UserError: a recording is missing or damaged, or the list of parts does not match.
    """
    wanted = tuple(settings.actions or ACTIONS)
    found = survey(videos, settings.people, wanted).complete(videos)
    return recordings.stream(
        list(_parts(videos, found)), settings, workers, first, classes=ACTIONS, of=_action
    )


def survey(folder: Path, people: str = "authors", actions: Sequence[str] = ACTIONS) -> Survey:
    """Return the whole recordings that a folder has, of the actions asked for."""
    places, extra = _places(folder)
    if not places:
        raise UserError(
            f"{folder} has no recording of KTH, such as boxing/person01_boxing_d1_uncomp.avi. "
            "Unpack the six archives of the dataset there."
        )
    found, missing = [], []
    for action in actions:
        for name in _names(action):
            if name not in places:
                missing.append(f"{name}_uncomp.avi")
                continue
            path = places[name]
            pictures = recordings.picture_names(path) if path.is_dir() else ()
            part = _part(people, _person(name))
            found.append(Recording(f"{action}/{name}", part, path, pictures, interval=INTERVAL))
    found.sort(key=lambda each: _person(each.origin))
    return Survey(tuple(found), tuple(missing), extra)


def _names(action: str) -> Iterator[str]:
    for person in PEOPLE:
        for scene in SCENES:
            if (name := f"person{person:02}_{action}_d{scene}") != MISSING:
                yield name


def _action(recording: Recording) -> str:
    return recording.origin.partition("/")[0]


def _person(name: str) -> int:
    """Return the number in person01_boxing_d1, or in a path that ends so."""
    return int(name.rpartition("/")[2][6:8])


def _part(people: str, person: int) -> str:
    return next(part for part, those in PEOPLE_OF[people].items() if person in those)


def _places(folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return where each recording lies, and the names of those that the dataset does not have."""
    known = {name for action in ACTIONS for name in _names(action)}
    places: dict[str, Path] = {}
    extra = []
    for path in _candidates(folder):
        name = path.stem.removesuffix("_uncomp")
        if name not in known:
            extra.append(path.name)
        elif name in places:
            raise UserError(f"{places[name]} and {path} are the same recording. Remove one.")
        else:
            places[name] = path
    return places, tuple(extra)


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the videos, and what is named like a recording, in the folder or one inside it."""
    for path in recordings.inside(folder):
        if _candidate(path):
            yield path
        elif path.is_dir():
            yield from filter(_candidate, recordings.inside(path))


def _candidate(path: Path) -> bool:
    if path.is_dir():
        return NAME.fullmatch(path.name) is not None
    return path.suffix.lower() in recordings.VIDEOS


def _parts(folder: Path, found: Sequence[Recording]) -> Iterator[Recording]:
    path = next((path for path in (folder / LIST, folder.parent / LIST) if path.is_file()), None)
    if path is None:
        yield from found
        return
    ranges = _ranges(path)
    for recording in found:
        name = recording.origin.partition("/")[2]
        if name not in ranges:
            raise UserError(
                f"{path} has no line for {name}. Copy it again from the dataset's page."
            )
        for number, (start, stop) in enumerate(ranges[name], 1):
            yield replace(recording, origin=f"{recording.origin} {number}", start=start, stop=stop)


def _ranges(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Return the parts of each recording, [start, stop) counted from 0.

    A part may end after its recording does, and two may overlap: so the authors wrote it.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("person") or "*missing*" in line:
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise UserError(f"{path}: {line.strip()!r} is not understood. Copy the file again.")
        spans = [span.split("-") for span in re.split(r",\s*", match[2])]
        found[match[1]] = [(int(start) - 1, int(stop)) for start, stop in spans]
        if any(not 0 <= start < stop for start, stop in found[match[1]]):
            raise UserError(f"{path}: {line.strip()!r} has an empty part. Copy the file again.")
    return found


# 600 recordings less the one that is missing; people of the sets as 00sequences.txt has them.
DATASET = Dataset(
    title="KTH human actions",
    size="1.1 GB, six zip archives",
    licence="free for non-commercial use, as its authors say",
    page="https://www.csc.kth.se/cvap/actions/",
    files=(
        "boxing/person01_boxing_d1_uncomp.avi (six folders, or all in one)",
        "boxing/person01_boxing_d1_uncomp/*.png (folders of pictures)",
        "00sequences.txt (the parts in which the person is seen; may be left out)",
    ),
    unit="recordings",
    published={"train": 8 * 24 - 1, "validation": 8 * 24, "test": 9 * 24},
    find=lambda folder: survey(folder).found(),
    damage=lambda folder: survey(folder).damage(),
)
