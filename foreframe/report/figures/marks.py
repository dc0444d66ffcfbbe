"""When something happens in most clips of an analysis: stretches of frames, each event's colour."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy

from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.desk import Desk

SHARE = "share"  # of the clips, the quantity that an analysis has of its events
COLOURS = (style.BLUE, style.ORANGE, style.SKY)


@dataclass(frozen=True)
class Mark:
    """An event: what is said of it, its colour, and the first and last frame of each stretch.

    Frames are counted from the first predicted one, which is 1.
    """

    label: str
    colour: str
    stretches: list[tuple[int, int]]

    def frames(self) -> list[int]:
        """Return all frames in which it happens."""
        return [frame for first, last in self.stretches for frame in range(first, last + 1)]


def read(marks: Mapping[str, str], desk: Desk) -> list[Mark]:
    """Return the events whose labels are given by `run of an analysis / event`.

    Raises:
        UserError: the analysis has no such event.
    """
    found = []
    for place, (key, label) in enumerate(marks.items()):
        run, event = key.split(" / ")
        rows = desk.series("analysis", run)
        rows = rows[(rows["predictor"] == event) & (rows["quantity"] == SHARE)]
        if rows.empty:
            raise UserError(f"the analysis {run} has no event {event}. Name one of its own.")
        frames = numpy.sort(rows.loc[rows["mean"] > 0.5, "frame"].to_numpy(numpy.int64))
        parts = numpy.split(frames, numpy.flatnonzero(numpy.diff(frames) > 1) + 1)
        stretches = [(int(part[0]), int(part[-1])) for part in parts if len(part)]
        found.append(Mark(label, COLOURS[place % len(COLOURS)], stretches))
    return found
