"""Arrays (n,) of findings or of an analysis as lines over the numbers 1 to n."""

from typing import Any

import numpy

from foreframe.report import style
from foreframe.report.desk import Chart, Desk

SHADES = (style.GREEN, style.VERMILION, style.BLUE)


class Settings(Chart):
    """`lines` are labels by the names of arrays in `of`, `findings` or `analysis / run`."""

    of: str
    lines: dict[str, str]
    xlabel: str
    ylabel: str
    shares: bool = True  # are written as percentages, from 0


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the lines in one panel."""
    axes = canvas.subplots()
    schema, _, run = settings.of.partition(" / ")
    with desk.arrays(f"{schema}_arrays", run or schema) as file:
        for (name, label), shade in zip(settings.lines.items(), SHADES, strict=False):
            curve = file[name][:]
            axes.plot(numpy.arange(1, len(curve) + 1), curve, color=shade, label=label)
    axes.set(xlabel=settings.xlabel, ylabel=settings.ylabel)
    low, high = axes.get_ylim()
    low = 0.0 if settings.shares else low
    axes.set_ylim(low, high + 0.4 * (high - low))  # room for the legend
    axes.legend(ncols=len(settings.lines), loc="upper left")
    if settings.shares:
        axes.yaxis.set_major_formatter("{x:.0%}")
