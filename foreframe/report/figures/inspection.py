"""What an inspection found: lengths, pixels, motion, the course in time, duplicates, drift.

Suffixes: C = 3 colours, V = 256 values.
"""

from typing import Any, Literal

import numpy

from foreframe.config.split import SETS
from foreframe.report import style
from foreframe.report.desk import Chart, Desk
from foreframe.report.figures import apart

COLOURS = {"red": style.VERMILION, "green": style.GREEN, "blue": style.BLUE}
BINS = 40


class Settings(Chart):
    """`data` is the data set."""

    data: str
    show: Literal["lengths", "pixels", "motion", "course", "distances", "drift"]


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw what is asked for."""
    facts = desk.facts("inspection", settings.data)
    with desk.arrays("inspection_arrays", settings.data) as file:
        if settings.show == "course":
            course(canvas, facts, file, desk.facts("split", settings.data))
        else:
            DRAWINGS[settings.show](canvas, facts, file)


def lengths(figure: Any, facts: Any, file: Any) -> None:
    """Draw how many episodes are how long."""
    axes = figure.subplots()
    axes.hist(file["episode_length"][:] * facts["frame_interval"], bins=BINS, color=style.BLUE)
    axes.set(xlabel="length of an episode (seconds)", ylabel="episodes")


def pixels(figure: Any, facts: Any, file: Any) -> None:
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
    style.legend(figure, every[0], columns=len(SETS))


def motion(figure: Any, facts: Any, file: Any) -> None:
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
    style.legend(figure, axes, columns=len(SETS))


def course(figure: Any, facts: Any, file: Any, runs: Any) -> None:
    """Draw the mean colours and the motion along the recording, over a stripe of its sets."""
    interval = facts["frame_interval"]
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
    style.legend(figure, upper, stripe, columns=len(COLOURS) + len(SETS))


DRAWINGS = {
    "lengths": lengths,
    "pixels": pixels,
    "motion": motion,
    "distances": apart.distances,
    "drift": apart.drift,
}
