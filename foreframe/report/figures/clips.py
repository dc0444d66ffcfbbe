"""Clips that an inspection chose, one a row: samples of a set, or pairs of two sets."""

from foreframe.report import animations, strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.strips import Row


class Settings(Spec):
    """`data` is the data set, `group` the clips in the inspection's arrays.

    `labels` are said of the rows in turn, above the number of the clip's first frame.
    """

    data: str
    group: str
    labels: list[str]


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return all clips of the group in one strip, and playing side by side."""
    with desk.arrays("inspection_arrays", settings.data) as file:
        frames, starts = file[settings.group]["frames"][:], file[settings.group]["start"][:]
    names = [settings.labels[place % len(settings.labels)] for place in range(len(starts))]
    rows = [
        Row(f"{name}\n{start:,}", clip)
        for name, clip, start in zip(names, frames, starts.tolist(), strict=True)
    ]
    playing = [Row(row.label.replace("\n", " "), row.frames) for row in rows]
    still = strips.draw(rows, strips.spread(frames.shape[1], strips.COLUMNS))
    return [Picture(still, animations.draw(playing))]
