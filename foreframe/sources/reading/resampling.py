"""From the rate at which frames were recorded to the one that is asked for: the nearest frame.

The law is that of `decoding` for videos of a constant rate, so that equal frames in any container
become equal frames here. Of two frames that are equally near, the earlier one is taken.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, takewhile
from typing import Annotated, TypeVar

import numpy
from numpy.typing import NDArray
from pydantic import Field

from foreframe.sources import SourceSettings

Picture = TypeVar("Picture")
Numbers = NDArray[numpy.floating]


class RecordedSettings(SourceSettings):
    """For data that does not say itself how far apart its frames were recorded, in seconds."""

    recorded_interval: Annotated[float, Field(gt=0, le=3600)]


def chosen(length: int, recorded: Fraction, wanted: Fraction) -> Iterator[int]:
    """Yield the numbers of the recorded frames that are nearest to 0, wanted, 2 wanted, ... s.

    Frame k was recorded at k recorded; the last one stands until half way to where the next
    would be. So these are ceil(n wanted / recorded - 1/2), as far as they are below `length`.
    """
    numbers = (math.ceil(n * wanted / recorded - Fraction(1, 2)) for n in count())
    return takewhile(lambda number: number < length, numbers)


def resampled(
    rows: Iterator[tuple[Picture, Numbers, Numbers]], recorded: Fraction, wanted: Fraction
) -> Iterator[tuple[Picture, Numbers, Numbers]]:
    """Yield the rows (frame, action, state) that `chosen` names, with the action until the next.

    That is the mean of the recorded actions from this frame up to the next one that is kept. All
    rows are read; one frame is held.
    """
    numbers = chosen(1 << 62, recorded, wanted)
    following = next(numbers)
    # The first frame recorded is always the first one kept.
    kept: tuple[Picture, Numbers] | None = None
    actions: list[Numbers] = []
    for place, (picture, action, state) in enumerate(rows):
        if following > place:
            actions.append(action)
        while following == place:
            if kept is not None:
                yield kept[0], _mean(actions), kept[1]
            kept, actions = (picture, state), [action]
            following = next(numbers)
    if kept is not None:
        yield kept[0], _mean(actions), kept[1]


def _mean(actions: list[Numbers]) -> Numbers:
    mean: Numbers = numpy.mean(actions, axis=0, dtype=numpy.float64)
    return mean


def seconds(interval: float) -> Fraction:
    """Return the decimal number that was asked for: 0.1 is 1/10, so that no drift adds up."""
    return Fraction(repr(interval))
