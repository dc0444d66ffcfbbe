"""Arrays (n,) of an analysis as lines over the numbers 1 to n."""

from typing import Any

import numpy

from foreframe.report import style
from foreframe.report.desk import Chart, Desk

SHADES = (style.GREEN, style.VERMILION, style.BLUE)


class Settings(Chart):
    """`lines` are labels by the names of arrays in the file of an analysis, `of`."""

    of: str
    lines: dict[str, str]
    xlabel: str
    ylabel: str


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw shares, as percentages."""
    axes = canvas.subplots()
    with desk.arrays(f"{settings.of}_arrays", settings.of) as file:
        for (name, label), shade in zip(settings.lines.items(), SHADES, strict=False):
            curve = file[name][:]
            axes.plot(numpy.arange(1, len(curve) + 1), curve, color=shade, label=label)
    axes.set(xlabel=settings.xlabel, ylabel=settings.ylabel)
    axes.set_ylim(0, 1.4 * axes.get_ylim()[1])  # room for the legend
    axes.legend(ncols=len(settings.lines), loc="upper left")
    axes.yaxis.set_major_formatter("{x:.0%}")
