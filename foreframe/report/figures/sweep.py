"""A result of several runs over a setting in which they differ: points with intervals."""

from typing import Any

from foreframe.report import style
from foreframe.report.desk import Chart, Desk

SHADES = (style.BLUE, style.ORANGE, style.GREEN)
MARKS = "osD"


class Settings(Chart):
    """`of` is `run / quantity / where` with `{panel}`, `{line}` and `{run}` in it.

    `runs` are places on the axis, by run; several runs may have one place, as trainings that differ
    in their seed do. `panels` and `lines` are titles by the words that replace theirs.
    """

    of: str
    runs: dict[str, float]
    panels: dict[str, str]
    lines: dict[str, str]
    xlabel: str


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the panels side by side."""
    every = canvas.subplots(1, len(settings.panels), squeeze=False)[0]
    for axes, (panel, title) in zip(every, settings.panels.items(), strict=True):
        for place, (line, label) in enumerate(settings.lines.items()):
            means: dict[float, list[float]] = {}
            for run, x in settings.runs.items():
                of = settings.of.replace("{panel}", panel).replace("{line}", line)
                name, quantity, *where = of.replace("{run}", run).split(" / ")
                found = desk.number(name, quantity, where[0] if where else "")
                low = found.value if found.low is None else found.low
                high = found.value if found.high is None else found.high
                axes.errorbar(
                    [x], [found.value], [[found.value - low], [high - found.value]],
                    fmt=MARKS[place], color=SHADES[place], markersize=3, capsize=2,
                )  # fmt: skip
                means.setdefault(x, []).append(found.value)
            ends = sorted((x, sum(values) / len(values)) for x, values in means.items())
            axes.plot(*zip(*ends, strict=True), color=SHADES[place], label=label, linewidth=0.9)
        axes.set(title=title, xlabel=settings.xlabel)
        if len(settings.lines) > 1:
            axes.legend()
