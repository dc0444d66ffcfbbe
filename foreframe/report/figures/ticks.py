"""The axes of a search, of its settings and its loss: where values lie, and which are named."""

from collections.abc import Mapping
from typing import Any

import numpy
import pandas
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Range = Mapping[str, Any]  # `choices`, or `low` and `high`, `log` where the search was
TICKS = 5


def heights(values: "pandas.Series[Any]", range_: Range) -> NDArray[numpy.float64]:
    """Return where values lie on their axis, from 0 (lowest) to 1.

    Axes are logarithmic where the search was, and list choices at equal distances.
    """
    if "choices" in range_:
        last = max(1, len(range_["choices"]) - 1)
        return numpy.array([range_["choices"].index(value) / last for value in values])
    ends = numpy.array([range_["low"], range_["high"]], numpy.float64)
    numbers = values.to_numpy(numpy.float64)
    if range_.get("log", False):
        ends, numbers = numpy.log(ends), numpy.log(numbers)
    width = ends[1] - ends[0]
    return (numbers - ends[0]) / (width if width > 0 else 1.0)


def ticks(range_: Range) -> list[tuple[float, str]]:
    """Return the heights of some round values of a range, and the values as words."""
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
    places = heights(pandas.Series(values), range_)
    return [(float(height), _word(value)) for height, value in zip(places, values, strict=True)]


def loss_ticks(scale: Normalize) -> list[tuple[float, str]]:
    """Return the heights of some round losses of a scale, and these as words."""
    low, high = float(scale.vmin or 0.0), float(scale.vmax or 0.0)
    values = MaxNLocator(TICKS).tick_values(low, high)
    return [(float(scale(value)), f"{value:.3g}") for value in values if low <= value <= high]


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
