"""What was measured frame by frame: a line for each predictor or quantity, with its interval."""

from typing import Any

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pydantic import Field

from foreframe.config.sampling import BASELINES
from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.desk import BOUND, Chart, Desk, ordered, others, plain
from foreframe.report.figures import marks

MARKS = ("o-", "^-.", "D:")


class Settings(Chart):
    """`of` is `samples / predictor / quantity` with `{panel}` and `{line}` in it.

    `table` is `findings`, `run / protocol` of an evaluation, `analysis / run`, or several; without
    `lines` every predictor has one. `over` is the quantity that a line is divided by, `mark` a
    result between frames, `trained` the `run / protocol` whose training clips ended at a dashed
    line; `scaled` lets every line go from 0 to 1. `events` are labels as `marks` reads them: a
    dashed line where one happens, a band where it lasts. A panel whose quantity was not measured is
    left out where another was.
    """

    table: str | list[str]
    of: str
    panels: dict[str, str]
    lines: dict[str, str] = Field(default={})
    over: str = ""
    level: float | None = None
    mark: str = ""
    trained: str = ""
    events: dict[str, str] = Field(default={})
    ylabel: str = ""
    zero: bool = False  # the axis begins there
    scaled: bool = False
    others: str = ""


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the panels side by side."""
    tables = [settings.table] if isinstance(settings.table, str) else settings.table
    series = pandas.concat([desk.series(*table.split(" / ")) for table in tables])
    every = ordered(series["predictor"].unique(), desk.settings.drawn)
    lines = desk.each_choice(settings.lines) or {name: plain(name) for name in every}
    if settings.others:
        run, protocol = settings.others.split(" / ")
        lines |= _others(run, protocol, desk)
    found = {panel: _lines(settings, series, panel, lines) for panel in settings.panels}
    shown = {panel: rows for panel, rows in found.items() if rows}
    if not shown:
        raise UserError(f"none of {settings.of} was measured in {', '.join(tables)}.")
    xlabel = "frame" if settings.mark else "predicted frame"
    every = canvas.subplots(1, len(shown), squeeze=False, sharey=bool(settings.ylabel))[0]
    for axes, (panel, rows) in zip(every, shown.items(), strict=True):
        models = [line for line in lines if _last(line) not in style.PREDICTORS]
        for line, table in rows.items():
            place = models.index(line) if line in models else 0
            _line(axes, table, _last(line), lines[line], place)
        if settings.level is not None:
            axes.axhline(settings.level, color=style.GREY, linewidth=0.8)
        if settings.mark:
            frames = desk.number(*settings.mark.split(" / ")).value
            axes.axvline(frames + 0.5, color=style.GREY, linewidth=0.8)
        if settings.trained:
            axes.axvline(_trained(settings.trained, desk) + 0.5, color=style.GREY, linestyle="--")
        for mark in marks.read(settings.events, desk):
            _mark(axes, mark)
        label = settings.panels[panel]
        axes.set(**{"title" if settings.ylabel else "ylabel": label}, xlabel=xlabel)
        if settings.zero:
            axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    every[0].set_ylabel(settings.ylabel or every[0].get_ylabel())
    style.legend(canvas, every[0])


def _others(run: str, protocol: str, desk: Desk) -> dict[str, str]:
    """Return labels of what other programs drew, by line."""
    measured = desk.series(run, protocol)["predictor"].unique()
    return {f"{run} / {name}": plain(name) for name in others(measured, desk.settings.drawn)}


def _mark(axes: Axes, mark: marks.Mark) -> None:
    for place, (first, last) in enumerate(mark.stretches):
        label = mark.label if place == 0 else "_"  # said once
        if first == last:
            axes.axvline(first, color=mark.colour, linestyle="--", linewidth=0.9, label=label)
        else:
            ends = (first - 0.5, last + 0.5)
            axes.axvspan(*ends, color=mark.colour, alpha=0.2, linewidth=0, label=label)


def _trained(of: str, desk: Desk) -> float:
    """Return the last predicted frame that lies within the length of training clips."""
    run, protocol = of.split(" / ")
    return desk.number(run, "clip_frames").value - desk.number(run, "context", protocol).value


def _lines(
    settings: Settings, series: pandas.DataFrame, panel: str, lines: dict[str, str]
) -> dict[str, pandas.DataFrame]:
    """Return the rows of every line of a panel, divided by those of `over`."""
    found = {}
    for line in lines:
        rows = select(series, settings.of, panel, line)
        if settings.over and len(rows):
            whole = select(series, settings.over, panel, line)["mean"].to_numpy()
            # A truth without any of it leaves a gap in the line.
            share = rows["mean"].to_numpy() / numpy.where(whole == 0.0, numpy.nan, whole)
            rows = rows.assign(mean=share, low=numpy.nan, high=numpy.nan)
        if settings.scaled and len(rows):
            rows = _scaled(rows)
        if len(rows):
            found[line] = rows
    return found


def _scaled(rows: pandas.DataFrame) -> pandas.DataFrame:
    low, high = rows["mean"].min(), rows["mean"].max()
    whole = high - low if high > low else 1.0
    return rows.assign(mean=(rows["mean"] - low) / whole, low=numpy.nan, high=numpy.nan)


def select(series: pandas.DataFrame, of: str, panel: str, line: str) -> pandas.DataFrame:
    """Return the rows of one line in the order of frames."""
    words = of.replace("{panel}", panel).replace("{line}", line).split(" / ")
    for column, word in zip(("samples", "predictor", "quantity"), words, strict=True):
        series = series[series[column] == word]
    return series.sort_values("frame")


def _last(line: str) -> str:
    """Return the name of a way to predict, without its run."""
    return line.rsplit(" / ", 1)[-1]


def _line(axes: Axes, rows: pandas.DataFrame, name: str, label: str, place: int) -> None:
    # Where there are more lines than colours, a second mark tells those of one colour apart.
    turn, which = divmod(place, len(style.CHOICES))
    dashed = name in (*BASELINES, BOUND) or name.endswith("top_only")
    mark = "s--" if dashed else MARKS[turn % len(MARKS)]
    colour = style.PREDICTORS.get(name, style.CHOICES[which])
    axes.plot(rows["frame"], rows["mean"], mark, color=colour, label=label)
    if rows["low"].notna().all():
        ends = (rows["low"], rows["high"])
        axes.fill_between(rows["frame"], *ends, color=colour, alpha=0.15, linewidth=0)
