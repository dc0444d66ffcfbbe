"""Learning curves of one or several runs: what was logged by step, and measured by epoch."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pydantic import Field

from foreframe.config.base import Strict
from foreframe.report import style
from foreframe.report.desk import Chart, Desk, plain
from foreframe.report.figures.logged import column_of, late, leaps, size
from foreframe.training.record import Training

MARGIN = 0.08
RUNS = ((style.ORANGE, "-", "o"), (style.BLUE, "--", "s"), (style.PURPLE, "-.", "^"))


class Panel(Strict):
    """Columns of the curve or of the epochs; `level` is a result to draw across, `log` its name."""

    lines: list[str]
    ylabel: str
    title: str = ""
    x: Literal["step", "epoch"] = "step"
    axis: Literal["cut", "leap", "log", "zero"] = "cut"
    scale: float = 1.0
    level: str = ""


class Settings(Chart):
    """`of` are runs; several are told apart by `names`, else by size, or by run if sizes agree."""

    of: list[str]
    names: dict[str, str] = Field(default={})
    panels: list[Panel]
    height: float = 2.5


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the panels side by side, every run in each."""
    runs = {name: desk.training(name) for name in settings.of}
    own = {name: size(int(training.facts["parameters"])) for name, training in runs.items()}
    if len(set(own.values())) < len(own):
        own = {name: plain(name) for name in runs}
    every = canvas.subplots(1, len(settings.panels), squeeze=False)[0]
    for axes, panel in zip(every, settings.panels, strict=True):
        for place, (name, training) in enumerate(runs.items()):
            called = settings.names.get(name, own[name])
            for column in panel.lines:
                _line(axes, training, column, panel, (place, called) if len(runs) > 1 else None)
            _end(axes, training)
        levels = [desk.number(name, panel.level).value for name in settings.of if panel.level]
        for level in levels:
            axes.axhline(level, color=style.GREY, linestyle=":", label=plain(panel.level))
        if panel.x == "step" and len(runs) == 1:
            _epoch_marks(axes, runs[settings.of[0]])
        axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.ylabel)
        _limits(axes, panel, list(runs.values()), levels)
        if panel.x == "epoch":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(runs) == 1:
            axes.legend(loc="best")
    if len(runs) > 1:
        style.legend(canvas, every[0], columns=len(runs))


def _line(
    axes: Axes, training: Training, column: str, panel: Panel, run: tuple[int, str] | None
) -> None:
    table, epochs = column_of(training, column, panel.x)
    points = table.to_numpy(numpy.float64)
    points = points if epochs or not len(points) else style.thin(points)
    points = points * numpy.array([1.0, panel.scale])
    level = next((name for name in style.LEVELS if column.endswith(f"_{name}")), None)
    set_ = "validation" if column.startswith("validation") else "train"
    colour, form = style.LEVELS[level] if level else style.SETS[set_], "-"
    label = {"loss": "training", "validation_loss": "validation"}.get(column, plain(column))
    if epochs:
        form = "o--" if set_ == "validation" else "o-"
    if run is not None:
        place, called = run
        colour, line, mark = RUNS[place % len(RUNS)]
        form = mark if epochs else line
        label = f"{called}, {label}" if len(panel.lines) > 1 else called
    axes.plot(points[:, 0], points[:, 1], form, color=colour, label=label)


def _epoch_marks(axes: Axes, training: Training) -> None:
    for step in training.epochs["step"]:
        axes.axvline(step, color=style.PALE, linewidth=0.6, zorder=0)
    axes.grid(axis="x", visible=False)


def _end(axes: Axes, training: Training) -> None:
    step = training.facts.get("diverged_at_step")
    if step is not None:
        axes.axvline(step, color=style.INK, linestyle=":", label=f"diverged at step {step}")
        axes.set_xlim(right=1.08 * step)


def _limits(axes: Axes, panel: Panel, runs: Sequence[Training], levels: Sequence[float]) -> None:
    if panel.x == "step":
        axes.set_xlim(left=0)
    values = [*levels, *late(runs, panel.lines, panel.x)]
    if panel.axis == "log" or (panel.axis == "leap" and leaps(runs, panel.lines, panel.x)):
        axes.set_yscale("log")
    elif panel.axis in ("leap", "zero"):
        axes.set_ylim(bottom=0)
    elif len(set(values)) > 1:
        low, high = min(values), max(values)
        axes.set_ylim(low - MARGIN * (high - low), high + MARGIN * (high - low))
