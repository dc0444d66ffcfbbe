"""A random search: every trial as a line through its values to its loss."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from foreframe.report import style
from foreframe.report.desk import Chart, Desk, plain
from foreframe.report.figures.ticks import heights, loss_ticks, ticks

LOSS = "validation_loss"
# Lines that share a value lie side by side over this share of an axis.
SPREAD = 0.06


class Settings(Chart):
    """`of` is a search."""

    of: str
    height: float = 3.1


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw a line for each trial, through an axis for each searched setting, to its loss.

    The colour repeats the loss, and the best trial's line is wide. Axes are logarithmic where the
    search was, and list choices at equal distances. Trials that did not finish end before the loss.
    After Xu 2022, Figure 5.1.
    """
    facts, trials = desk.facts("search", settings.of), desk.table("search", "trials", settings.of)
    axes = canvas.subplots()
    names = list(facts["space"])
    places = numpy.stack([heights(trials[name], facts["space"][name]) for name in names])
    places += SPREAD * _side_by_side(places)
    losses = trials[LOSS].to_numpy(numpy.float64)
    scale = Normalize(numpy.nanmin(losses), numpy.nanmax(losses))
    for number in _best_last(trials):
        _line(axes, places[:, number], losses[number], scale, number == facts["best_trial"])
    for place, name in enumerate(names):
        _axis(axes, place, ticks(facts["space"][name]))
    _axis(axes, len(names), loss_ticks(scale))
    labels = [_label(name) for name in [*names, LOSS]]
    axes.set_xticks(range(len(labels)), labels)
    axes.tick_params(length=0)
    axes.set(xlim=(-0.25, len(names) + 0.35), ylim=(-0.06, 1.06))
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _side_by_side(heights_SN: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return offsets from -1/2 to 1/2 that part the trials (N) with equal values of a setting."""
    offsets = numpy.zeros_like(heights_SN)
    for line, row in zip(heights_SN, offsets, strict=True):
        for value in set(line):
            same = numpy.flatnonzero(line == value)
            row[same] = (numpy.arange(len(same)) - (len(same) - 1) / 2) / max(1, len(line) - 1)
    return offsets


def _best_last(trials: pandas.DataFrame) -> list[int]:
    """Return the rows from the highest loss to the lowest, so that the best lies on top."""
    order = trials[LOSS].to_numpy(numpy.float64).argsort()[::-1]
    return [int(number) for number in order]


def _line(
    axes: Axes, heights: NDArray[numpy.float64], loss: float, scale: Normalize, best: bool
) -> None:
    places = numpy.arange(len(heights) + 1)
    if numpy.isnan(loss):
        axes.plot(places[:-1], heights, ":", color=style.GREY, linewidth=1.1)
        axes.plot(places[-2], heights[-1], "x", color=style.GREY)
        return
    shade = _shades()(scale(loss))
    ends = [*heights, float(scale(loss))]
    axes.plot(places, ends, color=shade, linewidth=2.6 if best else 1.1, zorder=3 if best else 2)
    axes.plot(places, ends, "D" if best else "o", color=shade, markersize=5 if best else 2.5)


def _shades() -> Colormap:
    # Its lightest colours would vanish on paper; lightness falls with the loss in grey print too.
    shades = matplotlib.colormaps["viridis"](numpy.linspace(0, 0.9, 256))
    return ListedColormap(shades)


def _axis(axes: Axes, place: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.axvline(place, color=style.GREY, linewidth=0.8, zorder=1)
    for height, text in ticks:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        axes.text(place + 0.05, height, text, fontsize=6.5, va="center", bbox=box, zorder=4)


def _label(name: str) -> str:
    return plain(name.rpartition(".")[2]).replace(" ", "\n")
