"""The receptive field of a prior: which earlier codes a prediction in the middle depends on.

Shapes: T code-frames, H rows, W columns.
"""

from typing import Any

import numpy
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from numpy.typing import NDArray

from foreframe.report import style
from foreframe.report.desk import Chart, Desk

ROWS = ("untrained", "trained")
# What a square means, lightest first.
CLASSES = {
    "no influence": "#FFFFFF",
    "smaller gradient": "#CFE3F1",
    "gradient above {threshold:g}": style.BLUE,
    "the predicted code": style.VERMILION,
}


class Settings(Chart):
    """`of` is an analysis, `level` that of the prior."""

    of: str
    level: str


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw maps of one prior: a row untrained, a row trained, a column for each code-frame.

    Code-frames after that of the predicted code have no influence and are left out.
    """
    threshold = desk.number(settings.of, "receptive_field.threshold").value
    place = desk.number(settings.of, f"receptive_field.{settings.level}.trained.place").value
    with desk.arrays(f"{settings.of}_arrays", settings.of) as file:
        maps = {name: file[f"receptive_field/{settings.level}/{name}"][:] for name in ROWS}
    canvas.set_size_inches(style.WIDTH, 0.55 + 2 * style.WIDTH / (place[0] + 2.5))
    every = canvas.subplots(len(ROWS), place[0] + 1, squeeze=False)
    for line, name in zip(every, ROWS, strict=True):
        for frame, axes in enumerate(line):
            _map(axes, classes(maps[name], threshold, place)[frame])
            axes.set_title("same code-frame" if frame == place[0] else f"{frame - place[0]:+d}")
        line[0].set_ylabel(name)
    handles = [
        Patch(facecolor=shade, edgecolor=style.GREY, label=text.format(threshold=threshold))
        for text, shade in CLASSES.items()
    ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=len(CLASSES))


def classes(values_THW: NDArray[Any], threshold: float, place: Any) -> NDArray[Any]:
    """Return the number of each square's class."""
    found = (values_THW > 0).astype(int) + (values_THW > threshold)
    found[tuple(place)] = len(CLASSES) - 1
    return found


def _map(axes: Axes, classes_HW: NDArray[Any]) -> None:
    shades = ListedColormap(list(CLASSES.values()))
    axes.imshow(classes_HW, cmap=shades, vmin=-0.5, vmax=len(CLASSES) - 0.5)
    height, width = classes_HW.shape
    axes.set_xticks(numpy.arange(width + 1) - 0.5, labels=[])
    axes.set_yticks(numpy.arange(height + 1) - 0.5, labels=[])
    axes.tick_params(length=0)
    axes.grid(visible=True, color=style.PALE, linewidth=0.3)
