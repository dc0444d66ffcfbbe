"""Which stretches of a recording are in which set, in time."""

from typing import Any

import numpy

from foreframe.report import style
from foreframe.report.desk import Chart, Desk


class Settings(Chart):
    """`data` is the name of a data set."""

    data: str
    height: float = 0.95


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw a bar for each run of a set; white lines are borders of episodes."""
    runs = desk.facts("split", settings.data)
    with desk.arrays("frames", settings.data) as file:
        interval, lengths = float(file.attrs["frame_interval"]), file["episode_length"][:]
    axes = canvas.subplots()
    for name, colour in style.SETS.items():
        bars = [(start * interval, (stop - start) * interval) for start, stop in runs[name]]
        axes.broken_barh(bars, (0, 1), facecolors=colour, label=name)
    for border in numpy.cumsum(lengths)[:-1]:
        axes.axvline(border * interval, color="white", linewidth=0.8)
    axes.set(xlabel="seconds of the recording, episode after episode", yticks=[], ylim=(0, 1))
    axes.set_xlim(0, float(lengths.sum()) * interval)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    canvas.legend(loc="outside upper center", ncols=len(style.SETS))
