"""How every figure looks: one font, one width, a palette that colour-blind readers can use.

Text becomes outlines, so a figure looks the same wherever it is opened, and files carry no date.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.font_manager
import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

# The palette of Okabe and Ito (2008), and two greys.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#9A4C95"
ORANGE = "#E69F00"
SKY = "#56B4E9"
INK = "#222222"
GREY = "#6B6B6B"
PALE = "#DDDDDD"

SETS = {"train": BLUE, "validation": VERMILION, "test": GREEN}
LEVELS = {"top": PURPLE, "bottom": GREEN}
CONTEXT = BLUE  # frames that were given
PREDICTED = VERMILION  # frames that a model made
# Baselines and the bound; the others take theirs from CHOICES.
PREDICTORS = {
    "copy_last_frame": GREY,
    "mean_frame": "#B5A642",
    "linear_motion": INK,
    "reconstruction": BLUE,
}
CHOICES = (VERMILION, GREEN, PURPLE, ORANGE, SKY)

WIDTH = 6.3  # inches, the text width of the report's pages
POINTS = 600  # a curve is drawn with at most this many points
FONT = "DejaVu Sans"

SETTINGS = {
    "font.family": FONT,
    "font.size": 8,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "svg.fonttype": "path",
    "svg.hashsalt": "foreframe",
}


def drawing() -> AbstractContextManager[None]:
    """Return the context in which figures are made and saved, whatever the user's own settings."""
    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, "backend": "agg", **SETTINGS}
    return matplotlib.rc_context(settings)


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches; needs no window system."""
    return Figure(figsize=(width, height), layout="constrained")


def legend(canvas: Any, *panels: Axes, columns: int = 4) -> None:
    """Write what the lines and bars of some panels are, once, above all panels."""
    handles = [handle for panel in panels for handle in panel.get_legend_handles_labels()[0]]
    labels = [label for panel in panels for label in panel.get_legend_handles_labels()[1]]
    canvas.legend(handles, labels, loc="outside upper center", ncols=min(columns, len(labels)))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG; equal figures give equal bytes."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def thin(values: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return at most POINTS means over neighbouring rows, so that long curves stay small files.

    `values` is float64 of shape (n,) or (n, columns), n >= 1.
    """
    groups = numpy.array_split(values, min(POINTS, len(values)))
    return numpy.stack([group.mean(axis=0) for group in groups])


def font_path() -> str:
    """Return the file of the figures' font, which comes with matplotlib."""
    return str(matplotlib.font_manager.findfont(FONT, fallback_to_default=False))
