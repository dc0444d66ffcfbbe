"""BAIR robot pushing (softmotion30_44k): 43,520 trajectories of 30 frames, 64 x 64 pixels.

Three layouts are read, told apart by what is there: the dataset's own TFRecord files, with actions
and states; the folders of pictures that SVG's converter writes; and the HDF5 file of VideoGPT's.
The sets are the authors' own, train and test (Ebert et al. 2017).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import (
    BLOCK,
    Block,
    Episode,
    Row,
    SourceSettings,
    Stream,
    in_blocks,
    parallel,
    recordings,
)
from foreframe.sources.bair import converted as bair_converted
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.reading import downloads, tfrecords
from foreframe.sources.reading.downloads import Pin
from foreframe.sources.reading.fitting import fit
from foreframe.sources.reading.tfrecords import Feature, Place

FRAMES = 30
SIZE = 64  # pixels
SETS = ("train", "test")
ACTIONS = ("action_0", "action_1", "action_2", "action_3")
STATES = ("position_x", "position_y", "position_z")

# traj_256_to_511.tfrecords has the trajectories 256 to 511.
NAME = re.compile(r"traj_(\d+)_to_(\d+)\.tfrecords")

# As TensorFlow Datasets records it (its url_checksums/bair_robot_pushing_small.txt).
PINS = (
    Pin(
        file="bair_robot_pushing_dataset_v0.tar",
        url="http://rail.eecs.berkeley.edu/datasets/bair_robot_pushing_dataset_v0.tar",
        sha256="c6f8d164ab2be07174ef597e3e070d7466f3142caddc467b6af119b9458cd9cd",
        size=32_274_964_480,
        unpacked=32_274_964_480,
        files=1_000,
    ),
)


class Settings(SourceSettings):
    """Size of the frames, which of the two cameras, and whether to download.

    Every frame is kept: the authors give no time between them, so `frame_interval` is only noted.
    """

    kind: Literal["bair"]
    camera: Literal["aux1", "main"]
    download: bool


@dataclass(frozen=True)
class _Job:
    place: Place
    part: str

    @property
    def origin(self) -> str:
        return f"{self.part}/{self.place.path.stem} {self.place.number}"


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the trajectories, those to train on first; `seed` is not used.

    Raises:
        UserError: there is none, a file is damaged, or a converted copy lacks the camera.
    """
    folder = downloads.obtain(PINS) if settings.download else videos
    if (root := _records(folder)) is not None:
        return Stream(ACTIONS, STATES, _episodes(settings, _jobs(root), workers, first))
    if settings.camera != "aux1":
        raise UserError(
            f"{folder} has no TFRecord files, and converted copies hold one camera, aux1. Set "
            "source.camera to aux1, or put the dataset's own files there."
        )
    if (file := bair_converted.file(folder)) is not None:
        return bair_converted.stream(file, settings, workers, first)
    found = bair_converted.survey(folder).complete(folder)
    return recordings.stream(found, settings, workers, first)


def _records(folder: Path) -> Path | None:
    """Return the folder in which train/ and test/ hold TFRecord files, or None."""
    for root in (folder / "softmotion30_44k", folder):
        if any((root / name).is_dir() and _files(root / name) for name in SETS):
            return root
    return None


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in recordings.inside(folder) if path.suffix == ".tfrecords"]


def _jobs(root: Path) -> list[_Job]:
    found = []
    for part in SETS:
        files = _files(root / part)
        if not files:
            raise UserError(f"{root / part} has no .tfrecords files. Unpack the archive again.")
        found += [_Job(place, part) for path in files for place in tfrecords.places(path)]
    return found


def _episodes(
    settings: Settings, jobs: Sequence[_Job], workers: int, first: int
) -> Iterator[Episode]:
    rest = jobs[first:]
    streams = parallel.in_order(
        partial(_read, settings), rest, workers, BLOCK * settings.height * settings.width * 3
    )
    for job, blocks in zip(rest, streams, strict=True):
        yield Episode(job.origin, len(jobs), blocks, job.part)


def _read(settings: Settings, job: _Job) -> Iterator[Block]:
    return in_blocks(_rows(settings, job.place))


def _rows(settings: Settings, place: Place) -> Iterator[Row]:
    features = tfrecords.features(place)
    for time in range(FRAMES):
        picture = _picture(place, features, f"{time}/image_{settings.camera}/encoded")
        action = _numbers(place, features, f"{time}/action", len(ACTIONS))
        state = _numbers(place, features, f"{time}/endeffector_pos", len(STATES))
        yield fit(picture, settings.height, settings.width), action, state


def _picture(place: Place, features: dict[str, Feature], name: str) -> NDArray[numpy.uint8]:
    texts = features[name].texts if name in features else ()
    if len(texts) != 1 or len(texts[0]) != SIZE * SIZE * 3:
        raise _unexpected(place, name, f"{SIZE} x {SIZE} pixels in three colours")
    return numpy.frombuffer(texts[0], numpy.uint8).reshape(SIZE, SIZE, 3)


def _numbers(
    place: Place, features: dict[str, Feature], name: str, count: int
) -> NDArray[numpy.float32]:
    numbers = features[name].numbers if name in features else numpy.empty(0, numpy.float32)
    if len(numbers) != count or not numpy.isfinite(numbers).all():
        raise _unexpected(place, name, f"{count} numbers")
    return numbers


def _unexpected(place: Place, name: str, what: str) -> UserError:
    return UserError(
        f"{place.path}: record {place.number}: {name} is not {what}. These are not the files of "
        "softmotion30_44k; put those there."
    )


def find(folder: Path) -> Found:
    """Return how many trajectories each set has in a folder, in whichever layout.

    Raises:
        UserError: there is none.
    """
    if (root := _records(folder)) is not None:
        jobs = _jobs(root)
        short = [line for part in SETS for line in _short(_files(root / part))]
        return Found({part: sum(job.part == part for job in jobs) for part in SETS}, tuple(short))
    if (file := bair_converted.file(folder)) is not None:
        return bair_converted.found(file)
    return bair_converted.survey(folder).found()


def _short(files: Sequence[Path]) -> Iterator[str]:
    """Yield the files that have fewer records than their names say."""
    for path in files:
        if match := NAME.fullmatch(path.name):
            expected = int(match[2]) - int(match[1]) + 1
            if (count := len(tfrecords.places(path))) < expected:
                yield f"{path.parent.name}/{path.name} ({count} of {expected} records)"


def damage(folder: Path) -> Iterator[str]:
    """Read a whole copy and yield what is wrong with it: every record against its checksum."""
    if (root := _records(folder)) is None:
        if bair_converted.file(folder) is None:
            yield from bair_converted.survey(folder).damage()
        return
    for job in _jobs(root):
        try:
            tfrecords.data(job.place)
        except UserError as error:
            yield str(error)


DATASET = Dataset(
    title="BAIR robot pushing, 64 x 64 (softmotion30_44k)",
    size="32.3 GB, one tar archive",
    licence="none stated by its authors",
    page="http://rail.eecs.berkeley.edu/datasets/bair_robot_pushing_dataset_v0.tar",
    files=(
        "softmotion30_44k/{train,test}/traj_256_to_511.tfrecords",
        "processed_data/{train,test}/traj_256_to_511/0/0.png (as SVG converts it)",
        "one .hdf5 with train_data, train_idx, test_data, test_idx (as VideoGPT converts it)",
    ),
    unit="trajectories",
    # As TensorFlow Datasets counts them.
    published={"train": 43_264, "test": 256},
    find=find,
    damage=damage,
    pins=PINS,
)
