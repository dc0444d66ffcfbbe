"""Frames one after the other from the beginning of episodes of the test set, a row for each."""

from typing import Annotated

import numpy
from numpy.typing import NDArray
from pydantic import Field

from foreframe.report import animations, strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.strips import Row


class Settings(Spec):
    """`data` is the name of a data set, of which at most `episodes` are shown.

    Each has `frames` frames, or as many as the shortest of them. `magnified` is the value, 0..255,
    from which all others are moved away, for frames that hardly leave it, as those of flow do.
    """

    data: str
    episodes: Annotated[int, Field(ge=1)]
    frames: Annotated[int, Field(ge=1)]
    magnified: Annotated[int, Field(ge=0, le=255)] | None = None


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the episodes in one strip, and playing side by side."""
    runs = desk.facts("split", settings.data)["test"][: settings.episodes]
    frames = min(settings.frames, *(stop - start for start, stop in runs))
    with desk.arrays("frames", settings.data) as file:
        shown = [file["frames"][start : start + frames] for start, _ in runs]
    if settings.magnified is not None:
        shown = list(magnify(numpy.stack(shown), settings.magnified))
    rows = [Row(f"episode {number}", each) for number, each in enumerate(shown, start=1)]
    return [Picture(strips.draw(rows, range(1, frames + 1)), animations.draw(rows))]


def magnify(values: NDArray[numpy.uint8], middle: int) -> NDArray[numpy.uint8]:
    """Return values (..., C) as far from `middle`, times one factor, as 0..255 has room for.

    But for one in a thousand, which may lie beyond. A channel of one value says nothing and gets
    the middle.
    """
    away = values.astype(float) - middle
    told = numpy.ptp(values.reshape(-1, values.shape[-1]), axis=0) > 0
    reach = numpy.quantile(abs(away[..., told]), 0.999) if told.any() else 0.0
    room = min(middle, 255 - middle)
    spread = middle + numpy.where(told, away, 0) * (room / max(reach, 1))
    return spread.round().clip(0, 255).astype(numpy.uint8)
