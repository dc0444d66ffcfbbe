"""Two columns of a table as points, in panels by a third."""

from typing import Any

import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.desk import Chart, Desk

SHADES = {"real": style.INK, "recorded": style.GREEN, "shuffled": style.PURPLE}


class Settings(Chart):
    """`table` is `schema / name`; rows whose column `by` is a panel's name are its points.

    `correlation` is the result, with `{panel}` in it, that a title repeats. With `best`, a result,
    the trial of that number stands out, a line joins the medians, and the axis is logarithmic.
    """

    table: str
    by: str
    panels: dict[str, str]
    x: str
    y: str
    xlabel: str
    ylabel: str
    correlation: str
    best: str = ""


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the panels side by side on equal axes."""
    schema, name = settings.table.split(" / ")
    table = desk.table(schema, name, schema)
    for column in (settings.by, settings.x, settings.y):
        if column not in table:
            raise UserError(
                f"{settings.table} has no {column}. It has: {', '.join(map(str, table))}."
            )
    every = canvas.subplots(1, len(settings.panels), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (panel, title) in zip(every, settings.panels.items(), strict=True):
        rows = table[table[settings.by] == panel]
        if settings.best:
            _trials(axes, rows, settings, desk)
        else:
            shade = SHADES.get(panel, style.BLUE)
            axes.plot(rows[settings.x], rows[settings.y], "o", color=shade, markersize=3)
        said = _correlation(desk, settings.correlation.replace("{panel}", panel))
        axes.set(title=" ".join([title, said]).strip(), xlabel=settings.xlabel)
    every[0].set_ylabel(settings.ylabel)


def _correlation(desk: Desk, of: str) -> str:
    run, quantity = of.split(" / ")
    found = desk.maybe(run, quantity) or desk.maybe(run, f"{quantity}.spearman")
    if found is None or found.value is None:
        return "(too few for a correlation)"
    chance = desk.maybe(run, f"{quantity}.p")
    if chance is None:
        return f"(r = {found.value:.2f})"
    return f"Rank correlation {found.value:.2f} (p = {chance.value:.2f})"


def _trials(axes: Axes, rows: pandas.DataFrame, settings: Settings, desk: Desk) -> None:
    x, y = settings.x, settings.y
    best = rows[rows["trial"] == desk.number(*settings.best.split(" / ")).value]
    medians = rows.groupby(x)[y].median()
    axes.plot(medians.index, medians, "--", color=style.GREY, label="median", zorder=1)
    others = rows.drop(best.index)
    axes.plot(others[x], others[y], "o", color=style.BLUE, label="a run")
    axes.plot(best[x], best[y], "D", color=style.VERMILION, label="best run", markersize=6)
    sizes = sorted(set(rows[x]))
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.12, y=0.1)
    axes.legend(loc="best")
