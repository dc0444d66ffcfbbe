"""CLEVR's pictures in two editions: GIRAFFE's, of two to five objects, and one with masks.

`clevr2345` (Niemeyer and Geiger 2021) is a folder of pictures. `with_masks` (Kabra et al. 2019) is
one packed file; as CLEVR6, pictures of at most six objects are kept, the first 70 % of them to
train on, cut to rows 29 to 220 and columns 64 to 255 (Castrejon 2022, 10.4.2). What is a mask in
it may be the frame after its picture, each object another grey.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from numpy.typing import NDArray
from pydantic import Field, model_validator

from foreframe.errors import UserError
from foreframe.sources import Episode, Row, Stream, in_blocks, picture_files, recordings
from foreframe.sources.clevr import masked
from foreframe.sources.clevr.masked import Masked
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.picture_files import PictureFile
from foreframe.sources.reading import pictures, whole
from foreframe.sources.reading.fitting import fit
from foreframe.sources.squares import SquareSettings

FILE = "clevr_with_masks_train.tfrecords"
FOLDER = "images"
ROWS, COLUMNS = slice(29, 221), slice(64, 256)
TRAIN = 0.7  # share of the pictures
GREY = 25  # levels from the mask of one object to that of the next


class Settings(SquareSettings):
    """Which edition; of the one with masks, which pictures, and whether masks are frames too."""

    kind: Literal["clevr"]
    edition: Literal["clevr2345", "with_masks"]
    most_objects: Annotated[int, Field(ge=1, le=10)] | None  # null: any number
    masks: Literal["none", "next_frame"]

    @model_validator(mode="after")
    def _knows_objects(self) -> Self:
        if self.edition == "clevr2345" and (self.most_objects or self.masks != "none"):
            raise ValueError(
                "clevr2345 tells neither how many objects a picture has nor where. Set "
                "most_objects to null and masks to none, or edition to with_masks."
            )
        if self.hole and self.masks != "none":
            raise ValueError("hole and masks both ask for a second frame. Give one of them.")
        return self


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the pictures, in the order of their names or of the file; `seed` is not used.

    The file with masks is read twice, by one process: how many pictures there are to train on is
    known at its end.

    Raises:
        UserError: there is none, or one cannot be used.
    """
    if settings.edition == "with_masks":
        return Stream((), (), _masked(settings, _file(videos), first))
    files = [_still(videos, path) for path in _pictures(videos)]
    return Stream((), (), picture_files.episodes(settings, files, workers, first))


def _still(root: Path, path: Path) -> PictureFile:
    """Return a picture with its official set, if a folder that it lies in is called as one."""
    inside = path.relative_to(root)
    sets = [recordings.PARTS[name] for name in inside.parts[:-1] if name in recordings.PARTS]
    return PictureFile(path, inside.as_posix(), sets[0] if sets else "", {})


def _pictures(folder: Path) -> list[Path]:
    recordings.inside(folder)
    places = [folder / "clevr2345" / FOLDER, folder / FOLDER, folder]
    place = next(place for place in places if place.is_dir())
    found = recordings.deep(place, pictures.ENDINGS)
    if not found:
        raise UserError(f"{folder} has no pictures of CLEVR2345. Unpack clevr2345.zip there.")
    return found


def _file(folder: Path) -> Path:
    places = [folder / FILE, folder / "clevr_with_masks" / FILE]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(
            f"{folder} has no {FILE}. Download it from the multi-object datasets, and leave it "
            "packed."
        )
    return found


def _masked(settings: Settings, path: Path, first: int) -> Iterator[Episode]:
    kept = _numbers(settings, path)
    if not kept:
        raise UserError(
            f"{path} has no picture of {settings.most_objects} objects or fewer. Raise "
            "source.most_objects."
        )
    train, wanted = int(TRAIN * len(kept)), set(kept[first:])
    places = {number: place for place, number in enumerate(kept)}
    for number, features in enumerate(masked.records(path), start=1):
        if number in wanted:
            part = "train" if places[number] < train else "test"
            shown = masked.masked(path, number, features)
            yield Episode(f"picture {number}", len(kept), in_blocks(_rows(settings, shown)), part)


def _numbers(settings: Settings, path: Path) -> list[int]:
    """Return which records, from 1, are kept."""
    most = masked.ENTITIES if settings.most_objects is None else settings.most_objects
    return [
        number
        for number, features in enumerate(masked.records(path), start=1)
        if masked.objects(path, number, features) <= most
    ]


def _rows(settings: Settings, shown: Masked) -> Iterator[Row]:
    nothing = numpy.empty(0, numpy.float32)
    yield fit(shown.picture[ROWS, COLUMNS], settings.height, settings.width), nothing, nothing
    if settings.masks == "next_frame":
        yield greys(shown, settings.height), nothing, nothing


def greys(shown: Masked, side: int) -> NDArray[numpy.uint8]:
    """Return the masks as a picture (side,side,3): 0 is the ground, GREY the first object.

    Each pixel is that of the mask in its middle, since names cannot be averaged.
    """
    cut = shown.entities[ROWS, COLUMNS]
    places = (2 * numpy.arange(side) + 1) * len(cut) // (2 * side)
    grey: NDArray[numpy.uint8] = (GREY * cut[places][:, places]).astype(numpy.uint8)
    return grey[..., None].repeat(3, axis=2)


def _found(folder: Path) -> Found:
    """Return how many pictures of either edition a folder has."""
    if any(path.name == FILE for path in recordings.deep(folder, (".tfrecords",))):
        return Found({"train": sum(1 for _ in masked.records(_file(folder)))})
    return Found({"train": len(_pictures(folder))})


def _damage(folder: Path) -> Iterator[str]:
    if (folder / FILE).is_file() or (folder / "clevr_with_masks" / FILE).is_file():
        path = _file(folder)
        try:
            for number, features in enumerate(masked.records(path), start=1):
                masked.masked(path, number, features)
        except UserError as error:
            yield str(error)
        return
    for path in _pictures(folder):
        if problem := whole.problem(path):
            yield f"{path} {problem}"


DATASET = Dataset(
    title="CLEVR: CLEVR2345, or CLEVR with masks (multi-object datasets)",
    size="one archive, or one packed file",
    licence="CLEVR itself: CC BY 4.0",
    page="https://github.com/google-deepmind/multi_object_datasets",
    files=(
        f"clevr2345/{FOLDER}/FOLDER/PICTURE.png (as GIRAFFE's archive has them)",
        f"{FILE} (packed, as it is downloaded)",
    ),
    unit="pictures",
    published={},
    find=_found,
    damage=_damage,
)
