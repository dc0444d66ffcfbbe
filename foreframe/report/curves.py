"""Learning curves: the loss of every step beside what was measured after each epoch."""

from collections.abc import Mapping

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from foreframe.report import style
from foreframe.report.study import Training

# The fall of the first steps would flatten the rest of the curve; the axis leaves it out.
CUT = 0.03
MARGIN = 0.08


def loss(training: Training, label: str, chance: float | None = None) -> Figure:
    """Return training loss by step and validation loss by epoch; `chance` is a dotted line."""
    figure = style.figure(style.WIDTH, 2.5)
    axes = figure.subplots()
    _train(axes, training.curve, "loss", "training, mean over logged steps")
    _validation(axes, training.epochs, "validation_loss", "validation, after each epoch")
    _cut_axis(axes, training, chance)
    if chance is not None:
        axes.axhline(chance, color=style.GREY, linestyle=":", label="chance, ln K")
    _epoch_marks(axes, training.epochs)
    axes.set(xlabel="step", ylabel=label)
    axes.legend(loc="best")
    return figure


def autoencoder(training: Training, levels: tuple[str, ...]) -> Figure:
    """Return the whole loss, and its two parts apart."""
    figure = style.figure(style.WIDTH, 2.5)
    whole, parts = figure.subplots(1, 2)
    _train(whole, training.curve, "loss", "training")
    _validation(whole, training.epochs, "validation_loss", "validation")
    _cut_axis(whole, training, None)
    whole.set(title="Loss", xlabel="step", ylabel="loss")
    whole.legend(loc="best")
    _train(parts, training.curve, "reconstruction", "reconstruction", style.BLUE)
    for level in levels:
        name = f"commitment_{level}"
        _train(parts, training.curve, name, f"commitment, {level}", style.LEVELS[level])
    parts.set(title="Parts of the training loss", xlabel="step", yscale="log")
    parts.legend(loc="best")
    for axes in (whole, parts):
        _epoch_marks(axes, training.epochs)
    return figure


def codebooks(training: Training, sizes: Mapping[str, int]) -> Figure:
    """Return the share of codes in use and their perplexity after each epoch, by level.

    `sizes` is the number of codes of each level.
    """
    figure = style.figure(style.WIDTH, 2.3)
    use, spread = figure.subplots(1, 2)
    epochs = training.epochs["epoch"]
    for level, size in sizes.items():
        colour = style.LEVELS[level]
        for axes, name, scale in ((use, "usage", 100.0), (spread, "perplexity", 1.0)):
            for part, line in (("train", "-"), ("validation", "--")):
                values = scale * training.epochs[f"{part}_{name}_{level}"]
                axes.plot(epochs, values, line, marker="o", color=colour, label=f"{level}, {part}")
        spread.axhline(size, color=colour, linestyle=":", linewidth=1)
    use.set(xlabel="epoch", ylabel="codes in use (%)", ylim=(0, 103))
    spread.set(xlabel="epoch", ylabel="perplexity (codes)")
    spread.set_ylim(bottom=0)
    use.legend(loc="best")
    for axes in (use, spread):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _train(
    axes: Axes,
    curve: pandas.DataFrame,
    column: str,
    label: str,
    colour: str = style.SETS["train"],
) -> None:
    points = style.thin(curve[["step", column]].to_numpy(numpy.float64))
    axes.plot(points[:, 0], points[:, 1], color=colour, label=label)


def _validation(axes: Axes, epochs: pandas.DataFrame, column: str, label: str) -> None:
    colour = style.SETS["validation"]
    axes.plot(epochs["step"], epochs[column], "o--", color=colour, label=label)


def _cut_axis(axes: Axes, training: Training, chance: float | None) -> None:
    curve = training.curve
    late = curve["loss"][curve["step"] > CUT * curve["step"].iloc[-1]]
    values = [*late, *training.epochs["validation_loss"]]
    low, high = min(values), max([*values, chance or 0.0])
    axes.set_ylim(low - MARGIN * (high - low), high + MARGIN * (high - low))


def _epoch_marks(axes: Axes, epochs: pandas.DataFrame) -> None:
    for step in epochs["step"]:
        axes.axvline(step, color=style.PALE, linewidth=0.6, zorder=0)
    axes.set_xlim(left=0)
    axes.grid(axis="x", visible=False)
