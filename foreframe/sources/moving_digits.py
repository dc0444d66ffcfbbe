"""Stochastic Moving MNIST: digits fly straight and leave a border with a new random velocity.

After the first frame the bounces alone are random (Denton and Fergus 2018, whose generator this
follows step by step). With scikit-learn's digits it is another data set, and its episodes say so.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from numpy.typing import NDArray
from pydantic import Field, model_validator

from foreframe.errors import UserError
from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.datasets import Dataset, Found
from foreframe.sources.reading import digit_images, downloads
from foreframe.sources.synthetic import SyntheticSettings

NAMES = {"mnist": "Stochastic Moving MNIST", "scikit_learn": "moving scikit-learn digits"}
# Of a canvas of 64 pixels with digits of 32.
CANVAS, FASTEST = 64, 4


class Settings(SyntheticSettings):
    """Which digits, how many, and what all episodes share.

    `motion`: they differ in which digits they show and in nothing else. `first_frame`: they show
    the same digits, which begin where they do in all, and then fly as they like.
    """

    kind: Literal["moving_digits"]
    digit_images: digit_images.Source
    digits: Annotated[int, Field(ge=1, le=3)]
    shared: Literal["nothing", "motion", "first_frame"]
    download: bool  # MNIST's files, instead of reading them from the folder

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.download and self.digit_images != "mnist":
            raise ValueError(
                "download is true, but scikit_learn's digits are here. Set it to false."
            )
        if self.height != self.width:
            raise ValueError(
                f"frames are {self.height} x {self.width}; moving_digits has square ones. "
                f"Set height and width to {CANVAS}, as in the literature."
            )
        return self


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes; MNIST's IDX files are read from the folder `videos` if asked for.

    States are, for each digit, its left and upper edge in pixels and whether it has just bounced.
    The label of an episode with one digit is that digit, where MNIST's files of labels are there.

    Raises:
        UserError: the files of MNIST are missing or damaged.
    """
    folder = downloads.obtain(downloads.MNIST) if settings.download else videos
    if settings.digit_images == "mnist":
        for part in digit_images.FILES:
            digit_images.read_mnist(folder, part)
    states = tuple(
        f"{name}_{number + 1}" for number in range(settings.digits) for name in ("x", "y", "bounce")
    )
    origin = f"{NAMES[settings.digit_images]} {{part}} {{number}}"
    draw = _Draw(folder)
    labelled = settings.digits == 1 and all(
        digit_images.labels(settings.digit_images, part, folder) is not None
        for part in digit_images.FILES
    )
    return synthetic.stream(
        draw,
        settings,
        seed,
        workers,
        first,
        states=states,
        labels={"digit": digit_images.DIGITS} if labelled else None,
        label=draw.label if labelled else None,
        origin=origin,
    )


class _Draw:
    """Makes an episode; holds the folder of the images, which other synthetic sources lack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
        side = settings.height // 2
        images = digit_images.load(settings.digit_images, part, self.folder)
        chosen = self._chosen(settings, seed, number, part)
        shown = digit_images.scaled(images[chosen], side)
        # One motion for all episodes, or one for each.
        motion = 0 if settings.shared == "motion" else number
        flights = []
        for digit in range(settings.digits):
            random = numpy_generator(seed, "moving_digits", "motion", motion, digit)
            place = random.integers(0, side, size=2)
            if settings.shared == "first_frame":
                place = numpy_generator(seed, "moving_digits", "place", digit).integers(
                    0, side, size=2
                )
            flights.append(fly(random, side, (int(place[0]), int(place[1]))))
        nothing = numpy.empty(0, numpy.float32)
        for _ in range(settings.frames_per_episode):
            places = [next(flight) for flight in flights]
            state = numpy.array(places, numpy.float32).reshape(-1)
            yield draw(shown, [(x, y) for x, y, _ in places], settings.height), nothing, state

    def label(self, settings: Settings, seed: int, number: int, part: str) -> dict[str, int]:
        """Return the digit that an episode shows."""
        digits = digit_images.labels(settings.digit_images, part, self.folder)
        assert digits is not None
        return {"digit": int(digits[self._chosen(settings, seed, number, part)[0]])}

    def _chosen(
        self, settings: Settings, seed: int, number: int, part: str
    ) -> NDArray[numpy.int64]:
        count = len(digit_images.load(settings.digit_images, part, self.folder))
        shown = 0 if settings.shared == "first_frame" else number
        choice = numpy_generator(seed, "moving_digits", "digits", shown)
        return choice.integers(count, size=settings.digits)


def fly(
    random: numpy.random.Generator, side: int, place: tuple[int, int]
) -> Iterator[tuple[int, int, bool]]:
    """Yield left edge, upper edge and whether a border was hit, frame by frame, without end.

    Edges are 0..side-1 on a canvas of 2 side pixels, and begin at `place`. Beyond a border a digit
    is put back on it; its velocity away from that border is drawn anew from 1..4, the other one
    from -4..4, on a canvas of 64 pixels (in proportion on others).
    """
    fastest = max(1, round(FASTEST * side / (CANVAS // 2)))
    x, y = place
    dx, dy = (int(value) for value in random.integers(-fastest, fastest, size=2, endpoint=True))
    while True:
        hit_y = not 0 <= y < side
        if hit_y:
            away = int(random.integers(1, fastest, endpoint=True))
            y, dy = (0, away) if y < 0 else (side - 1, -away)
            dx = int(random.integers(-fastest, fastest, endpoint=True))
        hit_x = not 0 <= x < side
        if hit_x:
            away = int(random.integers(1, fastest, endpoint=True))
            x, dx = (0, away) if x < 0 else (side - 1, -away)
            dy = int(random.integers(-fastest, fastest, endpoint=True))
        yield x, y, hit_x or hit_y
        x, y = x + dx, y + dy


def draw(
    digits: NDArray[numpy.uint8], places: list[tuple[int, int]], size: int
) -> NDArray[numpy.uint8]:
    """Return a frame (size, size, 3) of digits (D, side, side) at their places, added up to 255."""
    canvas = numpy.zeros((size, size), numpy.uint16)
    side = digits.shape[1]
    for digit, (x, y) in zip(digits, places, strict=True):
        canvas[y : y + side, x : x + side] += digit
    grey = numpy.minimum(canvas, 255).astype(numpy.uint8)
    return numpy.repeat(grey[..., None], 3, axis=2)


def _found(folder: Path) -> Found:
    """Return how many images of MNIST's two sets a folder has."""
    counts, missing = {}, []
    for part, name in digit_images.FILES.items():
        try:
            counts[part] = len(digit_images.read_mnist(folder, part))
        except UserError:
            missing.append(name)
    if not counts:
        raise UserError(f"{folder} has none of MNIST's files of images.")
    return Found(counts, tuple(missing))


def _damage(folder: Path) -> Iterator[str]:
    for part in digit_images.FILES:
        try:
            digit_images.read_mnist(folder, part)
        except UserError as error:
            yield str(error)


DATASET = Dataset(
    title="MNIST handwritten digits",
    size="11 MB",
    licence="CC BY-SA 3.0",
    page="http://yann.lecun.com/exdb/mnist/",
    files=tuple(f"{name} (or {name}.gz)" for name in digit_images.FILES.values()),
    unit="images",
    published={"train": 60_000, "test": 10_000},
    find=_found,
    damage=_damage,
    pins=downloads.MNIST,
)
