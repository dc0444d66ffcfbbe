"""Frames one after the other from the beginning of episodes of the test set, a row for each."""

from typing import Annotated

from pydantic import Field

from foreframe.report import animations, strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.strips import Row


class Settings(Spec):
    """`data` is the name of a data set, of which at most `episodes` are shown.

    Each has `frames` frames, or as many as the shortest of them.
    """

    data: str
    episodes: Annotated[int, Field(ge=1)]
    frames: Annotated[int, Field(ge=1)]


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the episodes in one strip, and playing side by side."""
    runs = desk.facts("split", settings.data)["test"][: settings.episodes]
    frames = min(settings.frames, *(stop - start for start, stop in runs))
    with desk.arrays("frames", settings.data) as file:
        rows = [
            Row(f"episode {number}", file["frames"][start : start + frames])
            for number, (start, _) in enumerate(runs, start=1)
        ]
    return [Picture(strips.draw(rows, range(1, frames + 1)), animations.draw(rows))]
