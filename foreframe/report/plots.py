"""Figures of numbers: the split in time, likelihood beside baselines, quality by frame."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from foreframe.report import style


def name_of(predictor: str) -> str:
    """Return how a predictor is called in figures: its own name in plain words."""
    return predictor.replace("_", " ")


def colour_of(predictor: str, choices: Sequence[str]) -> str:
    """Return the colour of a predictor, the same in every figure."""
    if predictor in choices:
        return style.CHOICES[list(choices).index(predictor) % len(style.CHOICES)]
    return style.PREDICTORS.get(predictor, style.INK)


def split(runs: Mapping[str, Any], episodes: NDArray[numpy.int64], interval: float) -> Figure:
    """Return which stretches of the recording are in which set; ticks are episode borders.

    `runs` maps each set to its [start, stop) frame runs; `interval` is in seconds.
    """
    figure = style.figure(style.WIDTH, 0.95)
    axes = figure.subplots()
    for name, colour in style.SETS.items():
        bars = [(start * interval, (stop - start) * interval) for start, stop in runs[name]]
        axes.broken_barh(bars, (0, 1), facecolors=colour, label=name)
    for border in numpy.cumsum(episodes)[:-1]:
        axes.axvline(border * interval, color="white", linewidth=0.8)
    axes.set(xlabel="seconds of the recording, episode after episode", yticks=[], ylim=(0, 1))
    axes.set_xlim(0, float(episodes.sum()) * interval)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    figure.legend(loc="outside upper center", ncols=len(style.SETS))
    return figure


def likelihood(priors: Mapping[str, Any], levels: Sequence[str]) -> Figure:
    """Return bits per test code of each prior beside its baselines and chance; lower is better.

    `priors` is the entry of that name in the metrics.
    """
    figure = style.figure(style.WIDTH, 2.2)
    every = figure.subplots(1, len(levels), squeeze=False)[0]
    for axes, level in zip(every, levels, strict=True):
        _bars(axes, _bits(priors[level]), style.LEVELS[level])
        axes.set(title=f"{level.capitalize()} codes", xlabel="bits per code (test)")
    return figure


def _bits(prior: Mapping[str, Any]) -> dict[str, float]:
    per_nat = 1 / numpy.log(2.0)
    baselines = {name_of(name): by["test"] for name, by in prior["baselines"].items()}
    nats = {"prior": prior["nll"]["test"], **baselines, "chance": prior["chance"]}
    return {name: value * per_nat for name, value in nats.items()}


def _bars(axes: Axes, values: Mapping[str, float], colour: str) -> None:
    names = list(values)[::-1]
    colours = [colour if name == "prior" else style.PALE for name in names]
    bars = axes.barh(names, [values[name] for name in names], color=colours, height=0.65)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7.5)
    axes.set_xlim(0, 1.15 * max(values.values()))
    axes.grid(axis="y", visible=False)


# Columns of the table by frame, and what their axes say.
PANELS = (
    ("psnr", "PSNR (dB)"),
    ("ssim", "SSIM"),
    ("sharpness_ratio", "sharpness, predicted / true"),
)


def per_frame(table: pandas.DataFrame, choices: Sequence[str]) -> Figure:
    """Return PSNR, SSIM and the share of sharpness left, of every predictor by predicted frame.

    The share is there if the protocol measures sharpness: 1 is as sharp as the truth. Bands are
    intervals of the means, where there are enough clips for them.
    """
    figure = style.figure(style.WIDTH, 2.6)
    shown = [panel for panel in PANELS if panel[0] in table.columns]
    every = figure.subplots(1, len(shown))
    for axes, (column, label) in zip(every, shown, strict=True):
        for predictor, rows in table.groupby("predictor", sort=False):
            _line(axes, str(predictor), rows, column, choices)
        axes.set(xlabel="predicted frame", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)))
    return figure


def _line(
    axes: Axes, predictor: str, rows: pandas.DataFrame, column: str, choices: Sequence[str]
) -> None:
    line = "o-" if predictor in choices else "s--"
    colour = colour_of(predictor, choices)
    axes.plot(rows["frame"], rows[column], line, color=colour, label=name_of(predictor))
    if f"{column}_low" not in rows:
        return
    low, high = rows[f"{column}_low"], rows[f"{column}_high"]
    if low.notna().all():
        axes.fill_between(rows["frame"], low, high, color=colour, alpha=0.15, linewidth=0)
