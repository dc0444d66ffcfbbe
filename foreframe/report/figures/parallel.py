"""A random search: every trial as a line through its values to its loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from foreframe.report import style
from foreframe.report.desk import Chart, Desk, plain

Facts = Mapping[str, Any]

LOSS = "validation_loss"
# Lines that share a value lie side by side over this share of an axis.
SPREAD = 0.06
TICKS = 5


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
    heights = numpy.stack([_heights(trials[name], facts["space"][name]) for name in names])
    heights += SPREAD * _side_by_side(heights)
    losses = trials[LOSS].to_numpy(numpy.float64)
    scale = Normalize(numpy.nanmin(losses), numpy.nanmax(losses))
    for number in _best_last(trials):
        _line(axes, heights[:, number], losses[number], scale, number == facts["best_trial"])
    for place, name in enumerate(names):
        _axis(axes, place, _ticks(facts["space"][name]))
    _axis(axes, len(names), _loss_ticks(scale))
    labels = [_label(name) for name in [*names, LOSS]]
    axes.set_xticks(range(len(labels)), labels)
    axes.tick_params(length=0)
    axes.set(xlim=(-0.25, len(names) + 0.35), ylim=(-0.06, 1.06))
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _heights(values: "pandas.Series[Any]", range_: Facts) -> NDArray[numpy.float64]:
    """Return where values lie on their axis, from 0 (lowest) to 1."""
    if "choices" in range_:
        last = max(1, len(range_["choices"]) - 1)
        return numpy.array([range_["choices"].index(value) / last for value in values])
    ends = numpy.array([range_["low"], range_["high"]], numpy.float64)
    numbers = values.to_numpy(numpy.float64)
    if range_.get("log", False):
        ends, numbers = numpy.log(ends), numpy.log(numbers)
    width = ends[1] - ends[0]
    return (numbers - ends[0]) / (width if width > 0 else 1.0)


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


def _ticks(range_: Facts) -> list[tuple[float, str]]:
    if "choices" in range_:
        values = list(range_["choices"])
    elif range_.get("log", False):
        low, high = (numpy.log10(range_[end]) for end in ("low", "high"))
        inner = 10.0 ** numpy.arange(numpy.ceil(low - 1e-9), numpy.floor(high + 1e-9) + 1)
        values = sorted({range_["low"], range_["high"], *(float(value) for value in inner)})
    else:
        both = numpy.linspace(range_["low"], range_["high"], TICKS)
        whole = isinstance(range_["low"], int)
        values = sorted({round(float(value)) if whole else float(value) for value in both})
    heights = _heights(pandas.Series(values), range_)
    return [(float(height), _word(value)) for height, value in zip(heights, values, strict=True)]


def _loss_ticks(scale: Normalize) -> list[tuple[float, str]]:
    low, high = float(scale.vmin or 0.0), float(scale.vmax or 0.0)
    values = MaxNLocator(TICKS).tick_values(low, high)
    return [(float(scale(value)), f"{value:.3g}") for value in values if low <= value <= high]


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(name: str) -> str:
    return plain(name.rpartition(".")[2]).replace(" ", "\n")
