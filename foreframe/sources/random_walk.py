"""Random Walk: coloured balls, each moving in one of four directions in every step.

The test of modular dynamics in Castrejon 2023, 8.5: atomic moves; compositional ones, the sum of
several; and balls whose shape, colour and size were not seen in training. Radius, step and colours
are not stated there; these are ours.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from numpy.typing import NDArray
from pydantic import Field, model_validator

from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.synthetic import SyntheticSettings

ATOMS = numpy.array([(-1, 0), (1, 0), (0, -1), (0, 1)])  # left, right, up, down
SIDE = 32  # pixels of a frame; others are drawn in proportion
SIDES = 16  # of which a frame's side is a multiple
STEP = RADIUS = 3  # pixels
FINE = 4  # points along each side of a pixel, for smooth edges
KNOWN = ((230, 60, 60), (60, 200, 80), (70, 110, 240), (240, 200, 60), (200, 80, 220))
NOVEL = ((250, 150, 40), (60, 220, 220), (250, 160, 200), (160, 120, 80), (230, 230, 230))


class Settings(SyntheticSettings):
    """How many balls, how many atomic moves make up one step, and what the balls look like."""

    kind: Literal["random_walk"]
    balls: Annotated[int, Field(ge=1, le=5)]
    fewest_moves: Annotated[int, Field(ge=1, le=5)]
    most_moves: Annotated[int, Field(ge=1, le=5)]
    looks: Literal["known", "novel"]  # novel: squares of other colours and sizes, on the same walks

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        if self.fewest_moves > self.most_moves:
            raise ValueError("fewest_moves is above most_moves. Swap them.")
        if self.height != self.width or self.height % SIDES:
            raise ValueError(
                f"frames are {self.height} x {self.width}; random_walk has square ones with sides "
                f"of a multiple of {SIDES}. Set height and width to {SIDE}."
            )
        return self


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes; `videos` is not read.

    Actions are each ball's move until the next frame, states its place, in pixels of a 32-pixel
    frame. Where steps have several moves, no step is what a single move would have been.
    """
    balls = range(1, settings.balls + 1)
    return synthetic.stream(
        _draw,
        settings,
        seed,
        workers,
        first,
        actions=tuple(f"{axis}_move_{ball}" for ball in balls for axis in "xy"),
        states=tuple(f"{axis}_{ball}" for ball in balls for axis in "xy"),
        origin=f"random walk {settings.looks} {{part}} {{number}}",
    )


def walk(settings: Settings, random: numpy.random.Generator) -> NDArray[numpy.int64]:
    """Return the places of one ball, int64 (frames_per_episode + 1, 2): x, y."""
    low, high = RADIUS, SIDE - 1 - RADIUS
    place = random.integers(low, high, size=2, endpoint=True)
    places = [place]
    while len(places) <= settings.frames_per_episode:
        moves = int(random.integers(settings.fewest_moves, settings.most_moves, endpoint=True))
        step = STEP * ATOMS[random.integers(len(ATOMS), size=moves)].sum(axis=0)
        single = settings.fewest_moves > 1 and abs(step).sum() == STEP
        # Only what stays inside the frame and, among several moves, is none of the single ones.
        if not single and (low <= place + step).all() and (place + step <= high).all():
            place = place + step
            places.append(place)
    return numpy.stack(places)


def _draw(settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
    randoms = [numpy_generator(seed, "random_walk", number, ball) for ball in range(settings.balls)]
    places_BT2 = numpy.stack([walk(settings, random) for random in randoms])
    # Drawn after the walks, which are therefore the same for either look.
    colours = KNOWN if settings.looks == "known" else NOVEL
    order = numpy_generator(seed, "random_walk", number, "looks").permutation(len(colours))
    shades = [colours[place] for place in order[: settings.balls]]
    for time in range(settings.frames_per_episode):
        moves = places_BT2[:, time + 1] - places_BT2[:, time]
        frame = draw(places_BT2[:, time], shades, settings.height, settings.looks)
        yield frame, moves.reshape(-1).astype(float), places_BT2[:, time].reshape(-1).astype(float)


def draw(
    places: NDArray[numpy.int64], shades: list[tuple[int, int, int]], side: int, looks: str
) -> NDArray[numpy.uint8]:
    """Return a black frame (side, side, 3) with a ball, or a small square, at each place (B, 2)."""
    scale = side / SIDE
    points = (numpy.arange(side * FINE) + 0.5) / FINE / scale - 0.5
    frame = numpy.zeros((side, side, 3))
    for (x, y), shade in zip(places, shades, strict=True):
        across, down = abs(points - x), abs(points - y)[:, None]
        if looks == "known":
            inside = across**2 + down**2 <= (RADIUS + 0.5) ** 2
        else:
            inside = numpy.maximum(across, down) <= RADIUS - 0.5
        cover = inside.reshape(side, FINE, side, FINE).mean(axis=(1, 3))[..., None]
        frame = frame * (1 - cover) + cover * numpy.array(shade)
    return frame.round().astype(numpy.uint8)
