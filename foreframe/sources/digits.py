"""Still images of handwritten digits: MNIST's, or those that scikit-learn ships; each an episode.

For models of single pictures, such as the unconditional flow of Glissov and Konradsen 2021, figure
2.1. A digit stands in the middle of a black frame, and its label is the digit it is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from pydantic import Field, model_validator

from foreframe.errors import UserError
from foreframe.sources import Episode, Stream, in_blocks
from foreframe.sources.reading import digit_images, downloads
from foreframe.sources.stills import Picture, StillSettings, rows

NAMES = {"mnist": "MNIST", "scikit_learn": "scikit-learn digits"}
Count = Annotated[int, Field(ge=1)] | None  # None: all there are


class Settings(StillSettings):
    """Which digits, how large they are in the frame, and how many of each official set.

    MNIST's own `side` is 28, scikit-learn's 8; images are scaled to any other (bilinear). The first
    `train_images` and `test_images` of the sets are read; null means all.
    """

    kind: Literal["digits"]
    digit_images: digit_images.Source
    side: Annotated[int, Field(ge=1)]
    train_images: Count
    test_images: Count
    download: bool  # MNIST's files, instead of reading them from the folder

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.download and self.digit_images != "mnist":
            raise ValueError(
                "download is true, but scikit_learn's digits are here. Set it to false."
            )
        if self.side > min(self.height, self.width):
            raise ValueError(
                f"side is {self.side}, but frames are {self.height} x {self.width}. Make the "
                "digits smaller or the frames larger."
            )
        return self


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes, first those to learn from; `seed` and `workers` are not used.

    MNIST's IDX files are read from the folder `videos` if asked for; without those of labels the
    episodes have none.

    Raises:
        UserError: the files of MNIST are missing or damaged, or there are fewer images.
    """
    folder = downloads.obtain(downloads.MNIST) if settings.download else videos
    jobs = [
        (part, number)
        for part, wanted in (("train", settings.train_images), ("test", settings.test_images))
        for number in range(_count(settings, folder, part, wanted))
    ]
    known = {
        part: digit_images.labels(settings.digit_images, part, folder)
        for part in digit_images.FILES
    }
    labelled = all(labels is not None for labels in known.values())

    def episodes() -> Iterator[Episode]:
        for part, number in jobs[first:]:
            labels = known[part] if labelled else None
            yield Episode(
                f"{NAMES[settings.digit_images]} {part} {number}",
                len(jobs),
                in_blocks(rows(_picture(settings, folder, part, number), settings.hole)),
                part,
                {} if labels is None else {"digit": int(labels[number])},
            )

    return Stream((), (), episodes(), {"digit": digit_images.DIGITS} if labelled else {})


def _count(settings: Settings, folder: Path, part: str, wanted: int | None) -> int:
    there = len(digit_images.load(settings.digit_images, part, folder))
    if wanted is not None and wanted > there:
        raise UserError(
            f"source.{part}_images is {wanted}, but {NAMES[settings.digit_images]} has {there} of "
            "them. Lower it, or set it to null for all."
        )
    return there if wanted is None else wanted


def _picture(settings: Settings, folder: Path, part: str, number: int) -> Picture:
    """Return an image in the middle of a black frame (height, width, 3)."""
    images = digit_images.load(settings.digit_images, part, folder)
    side, (height, width) = settings.side, (settings.height, settings.width)
    top, left = (height - side) // 2, (width - side) // 2
    grey_HW = numpy.zeros((height, width), numpy.uint8)
    grey_HW[top : top + side, left : left + side] = digit_images.scaled(
        images[number : number + 1], side
    )[0]
    return numpy.repeat(grey_HW[..., None], 3, axis=2)
