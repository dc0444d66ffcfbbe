"""Arrays of an analysis over an array of it: lines with bands, such as spectra by frequency.

A panel shows what one or two arrays (n,) or rows of arrays (P,n) hold, against an array (n,).
"""

from typing import Annotated, Any, Literal

import h5py
import numpy
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray
from pydantic import Field

from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.desk import Chart, Desk

SHADES = (style.INK, style.VERMILION, style.BLUE, style.GREEN)
FORMS = ("-", "--", "-.", ":")


class Settings(Chart):
    """`of` is the run of an analysis; `x` the array below, of which zeros are left out of a log.

    `y` and `band` are arrays with `{panel}` and `{line}` in them; a band is half of its height,
    "" for none. `panels` and `lines` are titles by the words that replace theirs. With `rows` each
    panel is a row of the arrays, by its number from 0, and a `{row}` in a title is what the array
    of this name says of it. `mark` is dashed across at the highest value of a line.
    """

    of: str
    x: str
    y: str
    band: str = ""
    lines: Annotated[dict[str, str], Field(min_length=1, max_length=len(SHADES))]
    panels: Annotated[dict[str, str], Field(min_length=1)]
    rows: str = ""
    mark: str = ""
    xlabel: str
    ylabel: str = ""
    scale: Literal["linear", "log"] = "linear"


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the panels side by side, a line and its band for each of `lines`.

    Raises:
        UserError: the analysis has no such array, or fewer rows than there are panels.
    """
    every = canvas.subplots(1, len(settings.panels), squeeze=False, sharey=bool(settings.rows))[0]
    with desk.arrays("analysis_arrays", settings.of) as file:
        titles = _array(file, settings.rows, settings.of) if settings.rows else None
        for axes, (panel, title) in zip(every, settings.panels.items(), strict=True):
            row = None if titles is None else int(panel)
            if titles is not None and int(panel) >= len(titles):
                raise UserError(
                    f"{settings.of} has {len(titles)} {settings.rows}, but panels name number "
                    f"{panel}, counted from 0. Name fewer."
                )
            said = title if titles is None else title.replace("{row}", str(titles[int(panel)]))
            _panel(axes, file, settings, panel, row)
            axes.set(title=said, xlabel=settings.xlabel, xscale=settings.scale)
            axes.set_yscale(settings.scale)
            axes.xaxis.set_minor_formatter(NullFormatter())  # narrow panels have no room for more
            if settings.scale == "linear":
                axes.set_ylim(bottom=0)
    every[0].set_ylabel(settings.ylabel)
    style.legend(canvas, every[0], columns=len(settings.lines))


def _panel(axes: Any, file: h5py.File, settings: Settings, panel: str, row: int | None) -> None:
    for (line, label), shade, form in zip(settings.lines.items(), SHADES, FORMS, strict=False):
        x, y, band = (
            _array(file, name.replace("{panel}", panel).replace("{line}", line), settings.of)
            if name
            else None
            for name in (settings.x, settings.y, settings.band)
        )
        assert x is not None and y is not None
        kept = x > 0 if settings.scale == "log" else numpy.ones(len(x), bool)
        y = (y if row is None else y[row])[kept]
        axes.plot(x[kept], y, form, color=shade, label=label)
        if band is not None:
            half = (band if row is None else band[row])[kept]
            axes.fill_between(x[kept], y - half, y + half, color=shade, alpha=0.2, linewidth=0)
        if line == settings.mark:
            axes.axhline(y.max(), color=style.GREY, linestyle="--", linewidth=0.8)


def _array(file: h5py.File, name: str, run: str) -> NDArray[Any]:
    if name not in file:
        raise UserError(f"{run} has no array {name}. Name one of: {', '.join(sorted(file))}.")
    found: NDArray[Any] = file[name][:]
    return found
