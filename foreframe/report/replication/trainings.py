"""Learning curves of several runs side by side, and of runs whose loss leaps or ends in nothing."""

from collections.abc import Mapping

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreframe.report import style
from foreframe.report.study import Training

# Each run has a colour, a line and a mark of its own, so that grey print tells them apart.
RUNS = (
    (style.ORANGE, "-", "o"),
    (style.BLUE, "--", "s"),
    (style.PURPLE, "-.", "^"),
)
# The fall of the first steps would flatten the rest; the axis leaves it out.
CUT = 0.08
MARGIN = 0.08
# A loss that leaps further than this, times its median, is drawn on a logarithmic axis.
LEAP = 5.0


def tops(trainings: Mapping[str, Training]) -> Figure:
    """Return the loss of up to three priors in one plot: training by step, validation by epoch.

    Runs are called by their number of trained weights. After Xu 2022, Figure 5.4.
    """
    figure = style.figure(style.WIDTH, 2.8)
    axes = figure.subplots()
    for training, (colour, line, mark) in zip(trainings.values(), RUNS, strict=False):
        name = _size(int(training.facts["parameters"]))
        points = _thin(training.curve, "loss")
        axes.plot(points[:, 0], points[:, 1], line, color=colour, label=f"{name}, training")
        axes.plot(
            training.epochs["step"],
            training.epochs["validation_loss"],
            mark,
            color=colour,
            markeredgecolor="white",
            markersize=6,
            label=f"{name}, validation",
            zorder=3,
        )
    axes.set_ylim(*_limits(list(trainings.values())))
    axes.set_xlim(left=0)
    axes.set(xlabel="step", ylabel="nats per code")
    figure.legend(loc="outside upper center", ncols=len(trainings))
    return figure


def bottom(training: Training) -> Figure:
    """Return the loss of a run by step, and the norm of its gradient before any clipping.

    A run that diverged is drawn up to the last step whose loss was a number. After Xu 2022,
    Figures 5.5 and 5.6.
    """
    figure = style.figure(style.WIDTH, 2.5)
    loss, norm = figure.subplots(1, 2)
    _run(loss, training.curve, "loss", "training")
    epochs = training.epochs.dropna(subset="validation_loss")
    colour = style.SETS["validation"]
    loss.plot(epochs["step"], epochs["validation_loss"], "o--", color=colour, label="validation")
    _run(norm, training.curve, "gradient_norm", "before clipping")
    for axes, column in ((loss, "loss"), (norm, "gradient_norm")):
        if _leaps(training.curve[column]):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
    loss.set(title="Loss", xlabel="step", ylabel="nats per code")
    norm.set(title="Norm of the gradient", xlabel="step")
    for axes in (loss, norm):
        _end(axes, training)
        axes.set_xlim(left=0)
    loss.legend(loc="best")
    return figure


def _run(axes: Axes, curve: pandas.DataFrame, column: str, label: str) -> None:
    points = _thin(curve, column)
    axes.plot(points[:, 0], points[:, 1], color=style.SETS["train"], label=label)


def _end(axes: Axes, training: Training) -> None:
    step = training.facts.get("diverged_at_step")
    if step is None:
        return
    axes.axvline(step, color=style.INK, linestyle=":", label=f"diverged at step {step}")
    axes.set_xlim(right=1.08 * step)


def _leaps(values: "pandas.Series[float]") -> bool:
    return bool(values.max() > LEAP * values.median())


def _thin(curve: pandas.DataFrame, column: str) -> NDArray[numpy.float64]:
    return style.thin(curve[["step", column]].to_numpy(numpy.float64))


def _limits(trainings: list[Training]) -> tuple[float, float]:
    values: list[float] = []
    for each in trainings:
        late = each.curve["step"] > CUT * each.curve["step"].iloc[-1]
        values += [*each.curve["loss"][late], *each.epochs["validation_loss"]]
    low, high = min(values), max(values)
    return low - MARGIN * (high - low), high + MARGIN * (high - low)


def _size(parameters: int) -> str:
    if parameters >= 10**7:
        return f"{parameters / 10**6:.0f} M weights"
    return (
        f"{parameters / 10**6:.2f} M weights" if parameters >= 10**5 else f"{parameters:,} weights"
    )
