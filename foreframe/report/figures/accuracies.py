"""How surely the critic of a game tells what is real, epoch by epoch, in panels by training."""

from typing import Annotated, Any

from matplotlib.ticker import MaxNLocator
from pydantic import Field

from foreframe.report import style
from foreframe.report.desk import Chart, Desk
from foreframe.report.figures.logged import column_of

LINES = (
    ("train_{measure}_real", "training clips", style.BLUE, "o-"),
    ("validation_{measure}_real", "validation clips", style.ORANGE, "s--"),
    ("train_{measure}_fake", "samples", style.GREEN, "^:"),
)
NAMES = {"accuracy": "share told right", "probability": "probability of the right answer"}


class Settings(Chart):
    """`panels` are titles by run; a row of panels for each of `measures`."""

    panels: Annotated[dict[str, str], Field(min_length=1)]
    measures: list[str] = Field(default=["accuracy"])


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw three lines in each panel; probabilities of samples as those of being made."""
    size = (len(settings.measures), len(settings.panels))
    every = canvas.subplots(*size, squeeze=False, sharey=True)
    for row, measure in zip(every, settings.measures, strict=True):
        for axes, (run, title) in zip(row, settings.panels.items(), strict=True):
            training = desk.training(run)
            for column, label, colour, form in LINES:
                table, _ = column_of(training, column.format(measure=measure), "epoch")
                x, y = table.to_numpy(float).T
                axes.plot(x, y, form, color=colour, label=label, markersize=3)
            axes.set(title=title, xlabel="epoch", ylim=(-0.03, 1.03))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        row[0].set_ylabel(NAMES.get(measure, measure))
    style.legend(canvas, every[0][0], columns=len(LINES))
