"""Results as bars, or as points with intervals: groups of them, a colour for each series."""

from typing import Any, Literal

import numpy
from matplotlib.axes import Axes
from pydantic import Field

from foreframe.report import style
from foreframe.report.desk import Chart, Desk
from foreframe.report.figures.grouped import Unit, by_group
from foreframe.report.results import Number

SHADES = (style.PURPLE, style.GREEN, style.BLUE, style.ORANGE, style.SKY)
COLOURS = {
    **style.LEVELS, "nll": style.VERMILION, "left": style.VERMILION, "straight": style.GREY,
    "right": style.BLUE, "recorded": style.GREEN, "shuffled": style.PURPLE, "real": style.INK,
    "reconstruction": style.ORANGE,
}  # fmt: skip


class Settings(Chart):
    """`of` is `run / quantity / where` with `{panel}`, `{group}` and `{series}` in it.

    Labels stand by the words that replace these. Without `groups` a series is a list of values, or
    of numbers counted from 1. `unit`: bits (of results in nats), share (of a list's sum), percent.
    """

    of: str
    series: dict[str, str] = Field(default={"": ""})
    groups: dict[str, str] = Field(default={})
    panels: dict[str, str] = Field(default={"": ""})
    label: str
    form: Literal["columns", "rows", "points"] = "columns"
    unit: Unit = ""
    xlabel: str = ""


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the panels side by side."""
    series = desk.each_choice(settings.series)
    every = canvas.subplots(
        1, len(settings.panels), squeeze=False, sharey=settings.form == "points"
    )
    for axes, (panel, title) in zip(every[0], settings.panels.items(), strict=True):
        rows = {}
        for name in series:
            of = settings.of.replace("{panel}", panel).replace("{series}", name)
            rows[name] = by_group(of, settings.groups, settings.unit, desk)
        names = list(dict.fromkeys(name for found in rows.values() for name in found))
        shown = {name: settings.groups.get(name, name) for name in names}
        if settings.form == "columns":
            _columns(axes, rows, shown, series)
            axes.set(ylabel=settings.label, xlabel=settings.xlabel, title=title)
        else:
            _rows(axes, rows[""], shown, settings.form == "points", panel)
            label = title if settings.form == "points" else settings.label
            axes.set(xlabel=label, title="" if settings.form == "points" else title)
        if settings.unit in ("share", "percent"):
            axes.yaxis.set_major_formatter("{x:.0%}")
    if len(series) > 1:
        style.legend(canvas, every[0][0])


def _columns(
    axes: Axes, rows: dict[str, dict[str, Number]], shown: dict[str, str], series: dict[str, str]
) -> None:
    width = 0.8 / len(rows)
    for place, (name, found) in enumerate(rows.items()):
        where = numpy.array([list(shown).index(group) for group in found], numpy.float64)
        where += (place - (len(rows) - 1) / 2) * width
        means = numpy.array([each.value for each in found.values()])
        shade = style.LEVELS.get(name, SHADES[place % len(SHADES)])
        axes.bar(where, means, width, color=shade, label=series[name])
        ends = [(each.low, each.high) for each in found.values()]
        if all(low is not None for low, _ in ends):
            errors = numpy.abs(numpy.array(ends, numpy.float64).T - means)
            axes.errorbar(where, means, errors, fmt="none", ecolor=style.INK, elinewidth=0.8)
    axes.set_xticks(range(len(shown)), list(shown.values()))
    axes.axhline(0, color=style.GREY, linewidth=0.6)
    axes.grid(axis="x", visible=False)


def _rows(
    axes: Axes, found: dict[str, Number], shown: dict[str, str], points: bool, panel: str
) -> None:
    names = list(found)[::-1]
    values = [found[name].value for name in names]
    if points:
        for place, name in enumerate(names):
            each, colour = found[name], COLOURS.get(name, style.INK)
            if each.low is not None and each.high is not None:
                axes.plot([each.low, each.high], [place, place], color=colour)
            axes.plot([each.value], [place], "o", color=colour)
        axes.axvline(0, color=style.GREY, linewidth=0.8)
    else:
        first = COLOURS.get(panel, style.BLUE)
        shades = [first if name == next(iter(found)) else style.PALE for name in names]
        bars = axes.barh(range(len(names)), values, color=shades, height=0.65)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7.5)
        axes.set_xlim(0, 1.15 * max(values))
    axes.set_yticks(range(len(names)), [shown[name] for name in names])
    axes.grid(axis="y", visible=False)
