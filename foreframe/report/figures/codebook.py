"""Codes in the plane of their two largest principal components, coloured by their index.

Where indices have an order, near colours lie together; where they have none, colours are mixed.
"""

from typing import Any

import numpy

from foreframe.report.desk import Chart, Desk


class Settings(Chart):
    """`rows` are titles by runs of an analysis, `columns` by levels.

    It has arrays `LEVEL_points` (K,2) and `LEVEL_counts` (K,). Codes that no training clip has are
    hollow.
    """

    rows: dict[str, str]
    columns: dict[str, str]


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw a panel for each run and level."""
    shape = (len(settings.rows), len(settings.columns))
    every = canvas.subplots(*shape, squeeze=False)
    for line, (run, title) in zip(every, settings.rows.items(), strict=True):
        with desk.arrays("analysis_arrays", run) as file:
            for axes, (level, name) in zip(line, settings.columns.items(), strict=True):
                points_K2, counts_K = file[f"{level}_points"][:], file[f"{level}_counts"][:]
                index_K = numpy.arange(len(points_K2))
                dead_K = counts_K == 0
                axes.scatter(*points_K2[dead_K].T, s=9, facecolors="none", edgecolors="0.6")
                shown = axes.scatter(*points_K2[~dead_K].T, s=9, c=index_K[~dead_K], cmap="viridis")
                shown.set_clim(0, len(points_K2) - 1)
                axes.set(xticks=[], yticks=[], title=f"{title}, {name}")
                axes.grid(visible=False)
    canvas.colorbar(shown, ax=every.ravel().tolist(), label="index", shrink=0.6)
