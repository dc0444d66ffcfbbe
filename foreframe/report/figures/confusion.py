"""What a classifier took for what: a matrix of counts, predicted classes over actual ones."""

from typing import Any

import numpy

from foreframe.report.desk import Chart, Desk


class Settings(Chart):
    """`panels` are titles by runs of an analysis with arrays `confusion` (C,C), `classes` (C,)."""

    panels: dict[str, str]


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the matrices side by side, on one scale."""
    tables, names = [], []
    for run in settings.panels:
        with desk.arrays("analysis_arrays", run) as file:
            tables.append(file["confusion"][:])
            names = [name.decode() for name in file["classes"][:]]
    most = max(int(table.max()) for table in tables)
    every = canvas.subplots(1, len(tables), squeeze=False, sharey=True)[0]
    ticks = numpy.arange(len(names))
    for axes, table, title in zip(every, tables, settings.panels.values(), strict=True):
        shown = axes.imshow(table, vmin=0, vmax=most, cmap="viridis")
        axes.set_xticks(ticks, names, rotation=90)
        axes.set(title=title, xlabel="actual")
        axes.grid(visible=False)
    every[0].set_yticks(ticks, names)
    every[0].set(ylabel="predicted")
    canvas.colorbar(shown, ax=list(every), label="count", shrink=0.7)
