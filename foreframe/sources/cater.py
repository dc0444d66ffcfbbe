"""CATER, the task of the snitch: in which cell of 6 x 6 is the small golden thing in the end?

5,500 videos of 300 frames, 320 x 240, in which cones cover things and carry them about (Girdhar and
Ramanan 2020). The authors' lists name the videos to train on and to test on (`val.txt`, which
results are published of), each with the number of its cell, the label `cell`: 6 y + x. Videos are
squeezed to the frame and not cut, since the snitch may end at either side.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy

from foreframe.errors import UserError
from foreframe.sources import (
    BLOCK,
    Block,
    Episode,
    SourceSettings,
    Stream,
    in_blocks,
    parallel,
    recordings,
)
from foreframe.sources.datasets import Dataset
from foreframe.sources.reading import decoding
from foreframe.sources.reading.fitting import fit
from foreframe.sources.recordings import Recording, Survey

SIDE = 6
LABEL = "cell"
CLASSES = tuple(f"row {cell // SIDE + 1} column {cell % SIDE + 1}" for cell in range(SIDE**2))
LISTS = {"train": "train.txt", "test": "val.txt"}
TASK, VIDEOS = "localize", "videos"
HEIGHT, WIDTH = 240, 320

# CLEVR_new_000123.avi 17
LINE = re.compile(r"(\S+\.avi) (\d+)")


class Settings(SourceSettings):
    """Size and frame interval: a video is 300 frames long, 12.5 seconds at 24 a second."""

    kind: Literal["cater"]


@dataclass(frozen=True)
class _Job:
    recording: Recording
    cell: int


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the videos by name, with the cell that the snitch ends in; `seed` is not used.

    Raises:
        UserError: a list or a video is missing, a list is not understood, or a video is damaged.
    """
    survey(videos).complete(videos)
    jobs = [job for job in _jobs(videos) if job.recording.path.is_file()]
    return Stream((), (), _episodes(settings, jobs, workers, first), {LABEL: CLASSES})


def survey(folder: Path) -> Survey:
    """Return the videos of the lists that a folder has.

    Raises:
        UserError: it has no lists, or none of the videos.
    """
    jobs = _jobs(folder)
    here = [job.recording for job in jobs if job.recording.path.is_file()]
    missing = [job.recording.path.name for job in jobs if not job.recording.path.is_file()]
    if not here:
        raise UserError(
            f"{folder} has none of the {len(jobs):,} videos that its lists name. Unpack videos.zip "
            "beside the lists."
        )
    known = {recording.path for recording in here}
    others = [path.name for path in recordings.deep(folder, (".avi",)) if path not in known]
    return Survey(tuple(here), tuple(missing), tuple(others))


def _jobs(folder: Path) -> list[_Job]:
    """Return every line of the lists, by the video's name."""
    root = _root(folder)
    found: dict[str, _Job] = {}
    for part, name in LISTS.items():
        path = _list(root, name)
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = LINE.fullmatch(line.strip())
            if match is None or int(match[2]) >= len(CLASSES):
                raise UserError(f"{path}: {line.strip()!r} is not understood. Unpack it again.")
            if match[1] in found:
                raise UserError(f"{path} names {match[1]}, which is listed already. Unpack again.")
            video = root / VIDEOS / match[1]
            recording = Recording(Path(match[1]).stem, part, video)
            found[match[1]] = _Job(recording, int(match[2]))
    return [found[name] for name in sorted(found)]


def _root(folder: Path) -> Path:
    """Return the folder with the lists and the videos of the static camera."""
    recordings.inside(folder)
    for root in (folder / "all_actions", folder):
        if (root / "lists").is_dir():
            return root
    raise UserError(
        f"{folder} has no folder lists. Unpack lists.zip of CATER's all_actions there, and "
        "videos.zip beside it."
    )


def _list(root: Path, name: str) -> Path:
    path = root / "lists" / TASK / name
    if not path.is_file():
        raise UserError(f"{path} is missing. Unpack lists.zip again.")
    return path


def _episodes(
    settings: Settings, jobs: Sequence[_Job], workers: int, first: int
) -> Iterator[Episode]:
    rest = jobs[first:]
    size = BLOCK * settings.height * settings.width * 3
    made = parallel.in_order(partial(_read, settings), rest, workers, size)
    for job, blocks in zip(rest, made, strict=True):
        own = job.recording
        yield Episode(own.origin, len(jobs), blocks, own.part, {LABEL: job.cell})


def _read(settings: Settings, job: _Job) -> Iterator[Block]:
    nothing = numpy.empty(0, numpy.float32)
    shown = decoding.read(job.recording.path, HEIGHT, WIDTH, settings.frame_interval)
    return in_blocks(
        (fit(frame, settings.height, settings.width, crop="none"), nothing, nothing)
        for frame in shown
    )


DATASET = Dataset(
    title="CATER, static camera (all_actions), the task localize",
    size="two archives, videos.zip and lists.zip",
    licence="as its authors' page says",
    page="https://rohitgirdhar.github.io/CATER/",
    files=(
        "all_actions/videos/CLEVR_new_000000.avi (or without the outer folder)",
        f"all_actions/lists/{TASK}/{{train,val}}.txt",
    ),
    unit="videos",
    # 70 % and 30 % of 5,500, as the authors cut them.
    published={"train": 3850, "test": 1650},
    find=lambda folder: survey(folder).found(),
    damage=lambda folder: survey(folder).damage(),
)
