"""UCF101: 13,320 videos of 101 actions, with three official ways to split them (folds).

The lists trainlist01.txt and testlist01.txt (02, 03) name the videos of each set; a video of the
lists may lie in a folder of its action or all may lie in one (Soomro, Zamir and Shah 2012).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.sources import SourceSettings, Stream, recordings
from foreframe.sources.datasets import Dataset
from foreframe.sources.reading import downloads
from foreframe.sources.reading.downloads import Pin
from foreframe.sources.recordings import Recording, Survey

LISTS = {"train": "trainlist{:02}.txt", "test": "testlist{:02}.txt"}
CLASSES = "classInd.txt"

# ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1; the number is missing in the lists to test on.
LINE = re.compile(r"(\w+)/(v_(\w+)_g\d\d_c\d\d)\.avi(?: (\d+))?")

# As TensorFlow Datasets records them (its url_checksums/ucf101.txt); the videos are the copy that
# THUMOS 2014 publishes, a zip archive where the authors' own is a rar archive.
PINS = (
    Pin(
        file="UCF101_videos.zip",
        url="https://storage.googleapis.com/thumos14_files/UCF101_videos.zip",
        sha256="dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d",
        size=6_960_400_115,
        unpacked=8_000_000_000,
        files=14_000,
    ),
    Pin(
        file="UCF101TrainTestSplits-RecognitionTask.zip",
        url="https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip",
        sha256="5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27",
        size=113_943,
        unpacked=4_000_000,
        files=100,
    ),
)


class Settings(SourceSettings):
    """Size and frame interval; which of the three folds, which actions, and whether to download.

    `actions` null means all 101; names are those of the lists, such as Biking.
    """

    kind: Literal["ucf101"]
    fold: Literal[1, 2, 3]
    actions: list[str] | None
    download: bool


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the videos of a fold by action and name; `seed` is not used.

    Raises:
        UserError: a list or a video is missing, a label does not match, or a video is damaged.
    """
    folder = downloads.obtain(PINS) if settings.download else videos
    found = survey(folder, settings.fold).complete(folder)
    chosen = recordings.only(found, settings.actions, _action)
    # Numbered as the authors do, less one.
    classes = tuple(sorted(numbers := _classes(folder), key=numbers.__getitem__))
    return recordings.stream(chosen, settings, workers, first, classes=classes, of=_action)


def survey(folder: Path, fold: int = 1) -> Survey:
    """Return the videos of a fold that a folder has."""
    recordings.inside(folder)
    # The archive and the lists disagree on the capitals of HandstandPushups.
    videos = {path.stem.casefold(): path for path in recordings.deep(folder, (".avi",))}
    if not videos:
        raise UserError(f"{folder} has no .avi videos of UCF101. Unpack the dataset there.")
    found: list[Recording] = []
    missing: list[str] = []
    for part, name in LISTS.items():
        for action, video in _listed(_text(folder, name.format(fold)), _classes(folder)):
            path = videos.pop(video.casefold(), None)
            if path is None:
                missing.append(f"{video}.avi")
            else:
                found.append(Recording(f"{action}/{video}", part, path))
    found.sort(key=lambda recording: recording.origin)
    return Survey(tuple(found), tuple(missing), tuple(path.name for path in videos.values()))


def _action(recording: Recording) -> str:
    return recording.origin.partition("/")[0]


def _text(folder: Path, name: str) -> Path:
    found = [folder / name, *sorted(folder.glob(f"*/{name}"))]
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        raise UserError(
            f"{folder} lacks {name}. Unpack UCF101TrainTestSplits-RecognitionTask.zip there too."
        )
    return path


def _classes(folder: Path) -> dict[str, int]:
    """Return the number of each action."""
    found = {}
    path = _text(folder, CLASSES)
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        words = line.split()
        if len(words) == 2 and words[0].isdecimal():
            found[words[1]] = int(words[0])
        elif words:
            raise UserError(f"{path}: {line.strip()!r} is not understood. Unpack the lists again.")
    return found


def _listed(path: Path, classes: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Yield action and name of each video of a list; its labels must agree."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise UserError(f"{path}: {line.strip()!r} is not understood. Unpack the lists again.")
        action, video, named, label = match.groups()
        same = action.casefold() == named.casefold() and action in classes
        if not same or (label is not None and classes[action] != int(label)):
            raise UserError(
                f"{path}: the labels of {line.strip()!r} do not match {CLASSES}. Unpack the lists "
                "again."
            )
        yield action, video


# The sizes of fold 1; folds 2 and 3 have 9,586 and 3,734, and 9,624 and 3,696.
DATASET = Dataset(
    title="UCF101 human actions",
    size="7.0 GB, one archive, and 0.1 MB of lists",
    licence="none stated by its authors",
    page="https://www.crcv.ucf.edu/data/UCF101.php",
    files=(
        "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi (folders, or all in one)",
        "ucfTrainTestlist/{trainlist01,testlist01,classInd}.txt",
    ),
    unit="videos (fold 1)",
    published={"train": 9537, "test": 3783},
    find=lambda folder: survey(folder).found(),
    damage=lambda folder: survey(folder).damage(),
    pins=PINS,
)
