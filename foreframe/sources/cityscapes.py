"""Cityscapes: snippets of 30 frames, 17 a second, from a car in 50 cities (leftImg8bit_sequence).

The frames are 2048 x 1024; a square frame takes the middle 1024 x 1024, as Castrejon, Ballas and
Courville (2019) do for their 128 x 128. The sets are the authors' own folders, train, val and test,
or are those of that article, of the training cities alone.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Literal

from foreframe.errors import UserError
from foreframe.randomness import permutation
from foreframe.sources import SourceSettings, Stream, recordings
from foreframe.sources.datasets import Dataset
from foreframe.sources.recordings import PARTS, Recording, Survey

PACKAGE = "leftImg8bit_sequence"
SNIPPET = 30  # frames
INTERVAL = Fraction(1, 17)  # seconds
TESTED = 256  # snippets of the training cities, in Castrejon, Ballas and Courville (2019)

NAME = re.compile(r"(.+)_(\d{6})_(\d{6})_leftImg8bit\.png")


class Settings(SourceSettings):
    """Size and frame interval of the frames; what the sets are.

    `sets` is authors (their folders train, val and test), or training_cities: the folder train
    alone, shared out as `drawn` says.
    """

    kind: Literal["cityscapes"]
    sets: Literal["authors", "training_cities"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the snippets by set, city and number, or as `drawn` has them; else `seed` is not used.

    Raises:
        UserError: there is no snippet, or one lacks a frame or has a damaged one.
    """
    if settings.sets == "authors":
        found = survey(videos).complete(videos)
    else:
        found = drawn(survey(videos, ("train",)).complete(videos), seed)
    return recordings.stream(found, settings, workers, first)


def drawn(snippets: Sequence[Recording], seed: int) -> tuple[Recording, ...]:
    """Return snippets by set: those that are a drive by themselves train, 256 of the others test.

    Castrejon, Ballas and Courville (2019) train on 1,877 of the 2,975 snippets of the training
    cities, and their code takes the drives of exactly 30 frames: in twelve cities a drive is one
    snippet, 1,877 together. The other cities have long drives: of their 1,098 snippets 256 are
    drawn, and what is left is for validation. Which 256 the authors drew is not known.

    Raises:
        UserError: there are too few to test on, or none to train on.
    """
    drives = Counter(map(_drive, snippets))
    alone = [snippet for snippet in snippets if drives[_drive(snippet)] == 1]
    others = [snippet for snippet in snippets if drives[_drive(snippet)] > 1]
    if not alone or len(others) <= TESTED:
        raise UserError(
            f"source.sets is training_cities, which trains on drives of one snippet and draws "
            f"{TESTED} of the others for testing, but the training cities have {len(alone)} and "
            f"{len(others)}. Choose authors, or unpack more cities."
        )
    order = permutation(len(others), seed, "cityscapes", "sets").tolist()
    parts = {
        others[number].origin: "test" if place < TESTED else "validation"
        for place, number in enumerate(order)
    }
    return tuple(replace(each, part=parts.get(each.origin, "train")) for each in snippets)


def _drive(snippet: Recording) -> str:
    """Return city, place and number of the drive that a snippet is of."""
    return snippet.origin.rpartition("_")[0]


def survey(folder: Path, sets: Collection[str] = tuple(PARTS)) -> Survey:
    """Return the snippets that a folder has, of the authors' sets with these names."""
    root = next((path for path in (folder / PACKAGE, folder) if (path / "train").is_dir()), None)
    if root is None:
        raise UserError(
            f"{folder} has no folder {PACKAGE}/train. Unpack {PACKAGE}_trainvaltest.zip there."
        )
    found: list[Recording] = []
    missing: list[str] = []
    for name in sets:
        part = PARTS[name]
        cities = recordings.folders(root / name) if (root / name).is_dir() else []
        for city in cities:
            for snippet, names in _snippets(city):
                if len(names) == SNIPPET:
                    found.append(Recording(snippet, part, city, names, interval=INTERVAL))
                else:
                    missing.append(f"{name}/{snippet} ({len(names)} of {SNIPPET} frames)")
    if not found and not missing:
        raise UserError(f"{root} has no pictures. Unpack {PACKAGE}_trainvaltest.zip again.")
    return Survey(tuple(found), tuple(missing))


def _snippets(city: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield name and pictures of each snippet of a city; one that lacks frames has fewer than 30.

    A long drive has many snippets, and the next may begin right after the last.
    """
    numbered = [
        (match[1], match[2], int(match[3]), match[0])
        for name in recordings.picture_names(city)
        if (match := NAME.fullmatch(name))
    ]
    for (place, drive), frames in groupby(numbered, key=lambda frame: frame[:2]):
        for run in _runs(sorted((number, name) for *_, number, name in frames)):
            for start in range(0, len(run), SNIPPET):
                names = tuple(name for _, name in run[start : start + SNIPPET])
                yield f"{city.name}/{place}_{drive}_{run[start][0]:06}", names


def _runs(frames: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Yield unbroken runs of frame numbers."""
    counted = enumerate(frames)
    for _, run in groupby(counted, key=lambda place: place[1][0] - place[0]):
        yield [frame for _, frame in run]


# 5,000 snippets, as many as there are annotated frames: 2,975, 500 and 1,525 (Cordts et al. 2016).
DATASET = Dataset(
    title="Cityscapes video sequences (leftImg8bit_sequence)",
    size="324 GB, one zip archive",
    licence="its own, for non-commercial use; registration needed",
    page="https://www.cityscapes-dataset.com/downloads/",
    files=("leftImg8bit_sequence/{train,val,test}/CITY/CITY_000000_000000_leftImg8bit.png",),
    unit="snippets",
    published={"train": 2975, "validation": 500, "test": 1525},
    find=lambda folder: survey(folder).found(),
    damage=lambda folder: survey(folder).damage(),
)
