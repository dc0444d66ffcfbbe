"""What a classifier took for what: a matrix of counts, predicted classes over actual ones."""

from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray
from pydantic import Field

from foreframe.config import reading
from foreframe.report.desk import Chart, Desk

LARGE, SMALL = 7.0, 4.5  # sizes of the names of classes
MANY = 12  # classes; of more than these the names are small
LEAST = 12  # classes; a matrix of fewer is as wide as one of these


class Settings(Chart):
    """`panels` are titles by runs of an analysis with arrays `confusion` (C,C), `classes` (C,).

    `stated` are titles of matrices that a document prints, by their place, as in
    `studies/NAME/thesis.yaml:about.confusion`, where there are `classes` and `rows`. Each has a
    scale of its own: other data have other classes, and other counts.
    """

    panels: dict[str, str]
    stated: dict[str, str] = Field(default={})


Matrix = tuple[NDArray[numpy.int64], list[str]]  # counts (C,C), names of the classes


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the matrices side by side, those of runs on one scale."""
    known = [_printed(place) for place in settings.stated]
    found = [_found(desk, run) for run in settings.panels]
    shares = {"width_ratios": [max(len(names), LEAST) for _, names in known + found]}
    every = canvas.subplots(1, len(known) + len(found), squeeze=False, gridspec_kw=shares)[0]
    titles = [*settings.stated.values(), *settings.panels.values()]
    most = max(int(table.max()) for table, _ in found)
    scales = [*(int(table.max()) for table, _ in known), *[most] * len(found)]
    for axes, (table, names), title, scale in zip(
        every, known + found, titles, scales, strict=True
    ):
        shown = axes.imshow(table, vmin=0, vmax=scale, cmap="viridis")
        ticks = numpy.arange(len(names))
        size = LARGE if len(names) <= MANY else SMALL
        axes.set_xticks(ticks, names, rotation=90, fontsize=size)
        axes.set_yticks(ticks, names, fontsize=size)
        axes.set(title=title, xlabel="actual")
        axes.grid(visible=False)
        if axes in every[: len(known)]:
            canvas.colorbar(shown, ax=axes, shrink=0.5)
    every[0].set(ylabel="predicted")
    canvas.colorbar(shown, ax=list(every[len(known) :]), label="count", shrink=0.5)


def _found(desk: Desk, run: str) -> Matrix:
    with desk.arrays("analysis_arrays", run) as file:
        return file["confusion"][:], [name.decode() for name in file["classes"][:]]


def _printed(place: str) -> Matrix:
    name, _, key = place.partition(":")
    found = reading.select(reading.load(Path(name)), key, Path(name))
    return numpy.array(found["rows"]), list(found["classes"])
