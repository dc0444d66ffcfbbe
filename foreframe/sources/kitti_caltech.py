"""Trained on KITTI, tested on Caltech Pedestrian: the driving data of PredNet (Lotter et al. 2017).

Training and validation: the camera image_03 of KITTI's raw recordings of city, residential area and
road, 10 frames a second; the three that PredNet keeps for its own test are left out. Test: the sets
06 to 10 of Caltech Pedestrian, 30 frames a second. Frames are cropped around the middle.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.sources import SourceSettings, Stream, recordings
from foreframe.sources.datasets import Dataset
from foreframe.sources.recordings import Recording, Survey

KITTI_INTERVAL = Fraction(1, 10)  # seconds
CALTECH_INTERVAL = Fraction(1, 30)

# The recordings of KITTI's categories city, residential and road, by day: 61 of them.
DRIVES = {
    "2011_09_26": (
        1, 2, 5, 9, 11, 13, 14, 15, 17, 18, 19, 20, 22, 23, 27, 28, 29, 32, 35, 36, 39, 46, 48, 51,
        52, 56, 57, 59, 60, 61, 64, 70, 79, 84, 86, 87, 91, 93, 95, 96, 101, 104, 106, 113, 117,
    ),
    "2011_09_28": (1, 2),
    "2011_09_29": (4, 26, 71),
    "2011_09_30": (16, 18, 20, 27, 28, 33, 34),
    "2011_10_03": (27, 34, 42, 47),
}  # fmt: skip
VALIDATION = ("2011_09_26_drive_0005_sync",)
LEFT_OUT = (
    "2011_09_26_drive_0070_sync",
    "2011_09_26_drive_0079_sync",
    "2011_09_26_drive_0104_sync",
)

# How many recordings each of Caltech's test sets has.
SETS = {"set06": 19, "set07": 12, "set08": 11, "set09": 12, "set10": 12}

# Folders lie at most so deep: DAY/DRIVE, CATEGORY/DRIVE/DAY/DRIVE, and one more around them.
DEEPEST = 4


class Settings(SourceSettings):
    """Size and frame interval of the frames."""

    kind: Literal["kitti_caltech"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the recordings of KITTI, then those of Caltech, each by name; `seed` is not used.

    Raises:
        UserError: a recording is missing, lacks frames or is damaged.
    """
    found = survey(videos).complete(videos)
    return recordings.stream(found, settings, workers, first)


def survey(folder: Path) -> Survey:
    """Return the recordings of both datasets that a folder has."""
    recordings.inside(folder)
    found: list[Recording] = []
    missing: list[str] = []
    for places, expected, recording in (
        (_kitti(folder), _drives(), _drive),
        (_caltech(folder), _clips(), _clip),
    ):
        for name in expected:
            if name in places:
                found.append(recording(name, places[name]))
            else:
                missing.append(name)
    if not found:
        raise UserError(
            f"{folder} has neither KITTI's DAY/DAY_drive_NUMBER_sync/image_03/data nor Caltech's "
            "set06/V000.seq. Unpack both datasets there."
        )
    return Survey(tuple(found), tuple(missing))


def _drives() -> Iterator[str]:
    for day, numbers in DRIVES.items():
        for number in numbers:
            if (name := f"{day}_drive_{number:04}_sync") not in LEFT_OUT:
                yield name


def _clips() -> Iterator[str]:
    for name, count in SETS.items():
        yield from (f"{name}/V{number:03}" for number in range(count))


def _kitti(folder: Path) -> dict[str, Path]:
    patterns = [f"{'*/' * depth}*_drive_*_sync/image_03/data" for depth in range(DEEPEST + 1)]
    found = [path for pattern in patterns for path in folder.glob(pattern) if path.is_dir()]
    return {path.parent.parent.name: path for path in found}


def _drive(name: str, path: Path) -> Recording:
    part = "validation" if name in VALIDATION else "train"
    return _recording(f"kitti/{name}", part, path, KITTI_INTERVAL)


def _caltech(folder: Path) -> dict[str, Path]:
    """Return the videos by name; of a video that was turned into pictures, the pictures' folder."""
    found: dict[str, Path] = {}
    for depth in range(DEEPEST):
        for path in folder.glob(f"{'*/' * depth}set[0-9][0-9]/V[0-9][0-9][0-9]*"):
            name = f"{path.parent.name}/{path.stem}"
            if path.is_dir():
                inner = path / "images"
                found[name] = inner if inner.is_dir() else path
            elif path.suffix == ".seq":
                found.setdefault(name, path)
    return found


def _clip(name: str, path: Path) -> Recording:
    if path.suffix == ".seq":
        return Recording(f"caltech/{name}", "test", path, interval=CALTECH_INTERVAL)
    return _recording(f"caltech/{name}", "test", path, CALTECH_INTERVAL)


def _recording(origin: str, part: str, path: Path, interval: Fraction) -> Recording:
    names = recordings.picture_names(path)
    if not names:
        raise UserError(f"{path} has no pictures. Unpack the dataset again.")
    numbers = [int(digits[-1]) for name in names if (digits := re.findall(r"\d+", name))]
    for before, after in pairwise(numbers):
        if after - before != 1:
            raise UserError(
                f"{path} lacks the pictures between {before} and {after}. Unpack the dataset again."
            )
    return Recording(origin, part, path, names, interval=interval)


# 61 recordings, 57 of them to train on, one for validation (Lotter et al. 2017); 66 to test on.
DATASET = Dataset(
    title="KITTI raw and Caltech Pedestrian (PredNet's sets)",
    size="KITTI raw 165 GB, 61 zip archives; Caltech set06 to set10, five archives",
    licence="KITTI: CC BY-NC-SA 3.0; Caltech: see its page",
    page="https://www.cvlibs.net/datasets/kitti/raw_data.php and "
    "http://www.vision.caltech.edu/datasets/caltech_pedestrians/",
    files=(
        "2011_09_26/2011_09_26_drive_0001_sync/image_03/data/0000000000.png",
        "city/2011_09_26_drive_0001_sync/2011_09_26/... (as PredNet unpacks it)",
        "set06/V000.seq, or turned into pictures: set06/V000/I00000.jpg, set06/V000/images/...",
    ),
    unit="recordings",
    published={"train": 57, "validation": 1, "test": 66},
    find=lambda folder: survey(folder).found(),
    damage=lambda folder: survey(folder).damage(),
)
