"""Figures of the data report: lengths, pixels, motion, the course in time, duplicates, drift.

Suffixes: C = 3 colours, V = 256 values, P points in time, E episodes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreframe.report import style

Numbers = NDArray[numpy.float64]
Counts = NDArray[numpy.int64]

COLOURS = {"red": style.VERMILION, "green": style.GREEN, "blue": style.BLUE}
# What an axis says, and what its numbers are multiplied by.
MEASURES = {
    "earth_mover": ("earth mover's distance (levels)", 1),
    "jensen_shannon": ("Jensen-Shannon divergence (thousandths of a bit)", 1000),
}
BINS = 40
LEGEND = 3  # entries in a line


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(LEGEND, len(labels)))


def lengths(lengths_E: Counts, interval: float) -> Figure:
    """Return how many episodes are how long; `interval` is in seconds."""
    figure = style.figure(style.WIDTH, 1.8)
    axes = figure.subplots()
    axes.hist(lengths_E * interval, bins=BINS, color=style.BLUE)
    axes.set(xlabel="length of an episode (seconds)", ylabel="episodes")
    return figure


def pixels(counts_CV: Mapping[str, Counts]) -> Figure:
    """Return the share of pixels at each value, a panel for each colour, a line for each set."""
    figure = style.figure(style.WIDTH, 2.0)
    every = figure.subplots(1, len(COLOURS), sharey=True)
    for channel, (axes, colour) in enumerate(zip(every, COLOURS, strict=True)):
        for name, by_set_CV in counts_CV.items():
            shares_V = by_set_CV[channel] / by_set_CV[channel].sum()
            shown_V = numpy.where(shares_V > 0, shares_V, numpy.nan)
            axes.plot(shown_V, color=style.SETS[name], label=name, linewidth=0.9)
        axes.set(title=colour, xlabel="value", yscale="log")
    every[0].set_ylabel("share of pixels")
    _legend(figure, every[0])
    return figure


def motion(edges: Numbers, counts: Mapping[str, Counts]) -> Figure:
    """Return how the motion of each set is distributed, in bins of a quarter of an octave."""
    figure = style.figure(style.WIDTH, 2.0)
    axes = figure.subplots()
    # The first bin, which begins at nothing, is drawn as wide as the others.
    shown = numpy.concatenate([[edges[1] / 2**0.25], edges[1:]])
    for name, by_set in counts.items():
        axes.stairs(by_set / by_set.sum(), shown, color=style.SETS[name], label=name, linewidth=1.3)
    used = numpy.flatnonzero(sum(counts.values()))
    axes.set_xscale("log", base=2)
    axes.set_xlim(shown[max(used[0] - 1, 0)], shown[min(used[-1] + 2, len(shown) - 1)])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(
        xlabel="mean absolute difference to the frame before (levels)", ylabel="share of steps"
    )
    _legend(figure, axes)
    return figure


def course(
    points: Mapping[str, Numbers], runs: Mapping[str, Sequence[Sequence[int]]], interval: float
) -> Figure:
    """Return the mean colours and the motion along the recording, over a stripe of its sets.

    `points` holds `frame` (P,), `colour` (P, C) and `motion` (P,); `interval` is in seconds.
    """
    figure = style.figure(style.WIDTH, 2.9)
    upper, lower, stripe = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 0.12))
    seconds = points["frame"] * interval
    for channel, (name, colour) in enumerate(COLOURS.items()):
        upper.plot(seconds, points["colour"][:, channel], color=colour, label=name, linewidth=0.9)
    lower.plot(seconds, points["motion"], color=style.INK, linewidth=0.9)
    for name, by_set in runs.items():
        bars = [(start * interval, (stop - start) * interval) for start, stop in by_set]
        stripe.broken_barh(bars, (0, 1), facecolors=style.SETS[name], label=name)
    upper.set_ylabel("mean (levels)")
    lower.set_ylabel("motion (levels)")
    stripe.set(xlabel="seconds of the recording, episode after episode", yticks=[], ylim=(0, 1))
    stripe.set_xlim(0, max(stop for by_set in runs.values() for _, stop in by_set) * interval)
    stripe.grid(visible=False)
    handles = [*upper.get_legend_handles_labels()[0], *stripe.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def distances(found: Mapping[str, tuple[Numbers, str]], threshold: int | None, bits: int) -> Figure:
    """Return how the distances to the nearest clip are distributed, a line for each search.

    `found` maps each search's label to its distances in bits and its colour.
    """
    figure = style.figure(style.WIDTH, 2.1)
    axes = figure.subplots()
    most = max(float(values.max()) for values, _ in found.values() if len(values))
    edges = numpy.linspace(0, max(most, 1.0), BINS + 1)
    for label, (values, colour) in found.items():
        if len(values):
            shares = numpy.histogram(values, edges)[0] / len(values)
            axes.stairs(shares, edges, color=colour, label=label, linewidth=1.3)
    if threshold is not None:
        axes.axvline(threshold + 0.5, color=style.INK, linestyle=":", label="counts as near")
    axes.set(xlabel=f"distance to the nearest clip (of {bits} bits)", ylabel="share of clips")
    axes.set_xlim(left=0)
    _legend(figure, axes)
    return figure


def drift(values: Mapping[str, Any]) -> Figure:
    """Return how far each set's colours are from the training set's, beside its stretches."""
    figure = style.figure(style.WIDTH, 1.5)
    every = figure.subplots(1, len(MEASURES), sharey=True)
    names = ["stretches", *(name for name in style.SETS if name in values["sets"])]
    for axes, (measure, (label, scale)) in zip(every, MEASURES.items(), strict=True):
        usual = [scale * value for value in values["usual"][measure]]
        axes.plot(usual, [0] * len(usual), "|", color=style.GREY, markersize=11)
        for place, name in enumerate(names[1:], start=1):
            far = scale * values["sets"][name][measure]
            axes.plot(far, place, "o", color=style.SETS[name], markersize=6)
        axes.set(xlabel=label, yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5))
        axes.set_xlim(left=0)
    every[0].set_yticklabels(names)
    return figure
