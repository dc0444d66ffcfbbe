"""Points of the plane that an analysis placed, coloured by their class."""

from typing import Any

import numpy

from foreframe.report import style
from foreframe.report.desk import Chart, Desk

SHADES = (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.PURPLE, style.SKY)
MARKS = "osD"


class Settings(Chart):
    """`of` is the run of an analysis with arrays `points` (N,2) and `labels` (N,)."""

    of: str
    label: str  # what a class is, before its number


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw every class with a colour and mark of its own."""
    with desk.arrays("analysis_arrays", settings.of) as file:
        points_N2, labels_N = file["points"][:], file["labels"][:]
    axes = canvas.subplots()
    for place, label in enumerate(numpy.unique(labels_N).tolist()):
        own = points_N2[labels_N == label]
        shade, mark = SHADES[place % len(SHADES)], MARKS[place // len(SHADES) % len(MARKS)]
        axes.plot(own[:, 0], own[:, 1], mark, color=shade, markersize=2.5, label=str(label))
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.grid(visible=False)
    axes.legend(title=settings.label, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2)
