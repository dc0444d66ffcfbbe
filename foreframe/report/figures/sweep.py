"""A result of several runs over a setting in which they differ: points with intervals."""

from typing import Any

from pydantic import Field

from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.desk import Chart, Desk

SHADES = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE)
MARKS = "osD^"
Ends = tuple[float, float, float]  # a value, and how far its interval reaches below and above it


class Settings(Chart):
    """`of` is `run / quantity / where` with `{panel}`, `{line}` and `{run}` in it.

    `runs` are places on the axis, by run; several runs may have one place, as trainings that differ
    in their seed do. `panels` and `lines` are titles by the words that replace theirs. A result
    has an interval; or `spread` names, as `of` does, the result that is to be half of one, such as
    the deviation over folds. `trained` are further lines, which have none: titles by columns of
    the epochs that the trainings of the runs noted, of which the last counts.
    """

    of: str
    runs: dict[str, float]
    panels: dict[str, str]
    lines: dict[str, str]
    spread: str = ""
    trained: dict[str, str] = Field(default={})
    xlabel: str
    ylabel: str = ""


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the panels side by side.

    Raises:
        UserError: a result has no interval, and nothing is to stand for one.
    """
    every = canvas.subplots(1, len(settings.panels), squeeze=False)[0]
    labels = [*settings.lines.values(), *settings.trained.values()]
    for axes, (panel, title) in zip(every, settings.panels.items(), strict=True):
        lines = [
            {run: _found(desk, settings, _words(panel, line, run)) for run in settings.runs}
            for line in settings.lines
        ]
        lines += [
            {run: _noted(desk, run, column) for run in settings.runs} for column in settings.trained
        ]
        for place, (line, label) in enumerate(zip(lines, labels, strict=True)):
            _line(axes, [(settings.runs[run], ends) for run, ends in line.items()], label, place)
        axes.set(title=title, xlabel=settings.xlabel)
    every[0].set(ylabel=settings.ylabel)
    if len(labels) > 1:
        style.legend(canvas, every[0])


def _words(panel: str, line: str, run: str) -> dict[str, str]:
    return {"{panel}": panel, "{line}": line, "{run}": run}


def _address(pattern: str, words: dict[str, str]) -> list[str]:
    # The run last: what stands for a line may name it too.
    for name, word in words.items():
        pattern = pattern.replace(name, word)
    return pattern.split(" / ")


def _found(desk: Desk, settings: Settings, words: dict[str, str]) -> Ends:
    address = _address(settings.of, words)
    found = desk.number(*address)
    if settings.spread:
        half = desk.number(*_address(settings.spread, words)).value
        return found.value, half, half
    if found.low is None or found.high is None:
        raise UserError(
            f"{' / '.join(address)} has no interval, and a point without one would look certain. "
            "Name in `spread` a result that is half of one, or measure more clips."
        )
    return found.value, found.value - found.low, found.high - found.value


def _noted(desk: Desk, run: str, column: str) -> Ends:
    epochs = desk.training(run).epochs
    if column not in epochs:
        known = ", ".join(map(str, epochs))
        raise UserError(f"the training of {run} notes no {column}. Choose one of: {known}.")
    return float(epochs[column].iloc[-1]), 0.0, 0.0


def _line(axes: Any, points: list[tuple[float, Ends]], label: str, place: int) -> None:
    """Draw points with what has an interval, and a line through the mean at each place."""
    shade, mark = SHADES[place % len(SHADES)], MARKS[place % len(MARKS)]
    means: dict[float, list[float]] = {}
    for x, (value, below, above) in points:
        bar = [[below], [above]] if below or above else None
        axes.errorbar([x], [value], bar, fmt=mark, color=shade, markersize=3, capsize=2)
        means.setdefault(x, []).append(value)
    ends = sorted((x, sum(values) / len(values)) for x, values in means.items())
    axes.plot(*zip(*ends, strict=True), color=shade, label=label, linewidth=0.9)
