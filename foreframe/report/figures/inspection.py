"""What an inspection found: lengths, pixels, motion, the course in time, duplicates, drift.

Suffixes: C = 3 colours, V = 256 values.
"""

from typing import Any, Literal

import numpy
from matplotlib.axes import Axes

from foreframe.config.split import SETS
from foreframe.report import style
from foreframe.report.desk import Chart, Desk

COLOURS = {"red": style.VERMILION, "green": style.GREEN, "blue": style.BLUE}
# What an axis says, and what its numbers are multiplied by.
MEASURES = {
    "earth_mover": ("earth mover's distance (levels)", 1),
    "jensen_shannon": ("Jensen-Shannon divergence (thousandths of a bit)", 1000),
}
SEARCHES = {
    "usual": ("training, other scenes", style.GREY),
    "train_validation": ("validation in training", style.SETS["validation"]),
    "train_test": ("test in training", style.SETS["test"]),
    "validation_test": ("test in validation", style.PURPLE),
}
BINS = 40
LEGEND = 3  # entries in a line


class Settings(Chart):
    """`data` is the data set."""

    data: str
    show: Literal["lengths", "pixels", "motion", "course", "distances", "drift"]


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw what is asked for."""
    facts = desk.facts("inspection", settings.data)
    with desk.arrays("inspection_arrays", settings.data) as file:
        DRAWINGS[settings.show](canvas, facts, file, settings, desk)


def _legend(figure: Any, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(LEGEND, len(labels)))


def lengths(figure: Any, facts: Any, file: Any, settings: Settings, desk: Desk) -> None:
    """Draw how many episodes are how long."""
    axes = figure.subplots()
    axes.hist(file["episode_length"][:] * facts["frame_interval"], bins=BINS, color=style.BLUE)
    axes.set(xlabel="length of an episode (seconds)", ylabel="episodes")


def pixels(figure: Any, facts: Any, file: Any, settings: Settings, desk: Desk) -> None:
    """Draw the share of pixels at each value, a panel for each colour, a line for each set."""
    counts_CV = {name: file["pixels"][name][:] for name in SETS}
    every = figure.subplots(1, len(COLOURS), sharey=True)
    for channel, (axes, colour) in enumerate(zip(every, COLOURS, strict=True)):
        for name, by_set_CV in counts_CV.items():
            shares_V = by_set_CV[channel] / by_set_CV[channel].sum()
            shown_V = numpy.where(shares_V > 0, shares_V, numpy.nan)
            axes.plot(shown_V, color=style.SETS[name], label=name, linewidth=0.9)
        axes.set(title=colour, xlabel="value", yscale="log")
    every[0].set_ylabel("share of pixels")
    _legend(figure, every[0])


def motion(figure: Any, facts: Any, file: Any, settings: Settings, desk: Desk) -> None:
    """Draw how the motion of each set is distributed, in bins of a quarter of an octave."""
    edges = file["motion_edges"][:]
    counts = {name: file["motion"][name][:] for name in SETS}
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


def course(figure: Any, facts: Any, file: Any, settings: Settings, desk: Desk) -> None:
    """Draw the mean colours and the motion along the recording, over a stripe of its sets."""
    interval = facts["frame_interval"]
    runs = desk.facts("split", settings.data)
    points = {name: part[:] for name, part in file["course"].items()}
    upper, lower, stripe = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 0.12))
    seconds = points["frame"] * interval
    for channel, (name, colour) in enumerate(COLOURS.items()):
        upper.plot(seconds, points["colour"][:, channel], color=colour, label=name, linewidth=0.9)
    lower.plot(seconds, points["motion"], color=style.INK, linewidth=0.9)
    for name in SETS:
        bars = [(start * interval, (stop - start) * interval) for start, stop in runs[name]]
        stripe.broken_barh(bars, (0, 1), facecolors=style.SETS[name], label=name)
    upper.set_ylabel("mean (levels)")
    lower.set_ylabel("motion (levels)")
    stripe.set(xlabel="seconds of the recording, episode after episode", yticks=[], ylim=(0, 1))
    stripe.set_xlim(0, max(stop for name in SETS for _, stop in runs[name]) * interval)
    stripe.grid(visible=False)
    handles = [*upper.get_legend_handles_labels()[0], *stripe.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def distances(figure: Any, facts: Any, file: Any, settings: Settings, desk: Desk) -> None:
    """Draw how the distances to the nearest clip are distributed, a line for each search.

    Clips that had nothing to be compared with are left out.
    """
    values = facts["duplicates"]
    threshold, bits = values["threshold"], values["bits"]
    found = {name: file["distances"][name][:] for name in SEARCHES}
    found = {name: each[each <= bits].astype(float) for name, each in found.items()}
    axes = figure.subplots()
    most = max(float(each.max()) for each in found.values() if len(each))
    edges = numpy.linspace(0, max(most, 1.0), BINS + 1)
    for name, each in found.items():
        if len(each):
            label, colour = SEARCHES[name]
            shares = numpy.histogram(each, edges)[0] / len(each)
            axes.stairs(shares, edges, color=colour, label=label, linewidth=1.3)
    if threshold is not None:
        axes.axvline(threshold + 0.5, color=style.INK, linestyle=":", label="counts as near")
    axes.set(xlabel=f"distance to the nearest clip (of {bits} bits)", ylabel="share of clips")
    axes.set_xlim(left=0)
    _legend(figure, axes)


def drift(figure: Any, facts: Any, file: Any, settings: Settings, desk: Desk) -> None:
    """Draw how far each set's colours are from the training set's, beside its stretches."""
    values = facts["drift"]
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


DRAWINGS = {
    "lengths": lengths,
    "pixels": pixels,
    "motion": motion,
    "course": course,
    "distances": distances,
    "drift": drift,
}
