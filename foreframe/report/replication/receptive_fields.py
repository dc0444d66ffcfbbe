"""Receptive fields of the priors: which earlier codes a prediction in the middle depends on.

Shapes: T code-frames, H rows, W columns.
"""

from collections.abc import Mapping
from typing import Any

import numpy
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from foreframe.report import style

ROWS = ("untrained", "trained")
# What a square means, lightest first.
CLASSES = {
    "no influence": "#FFFFFF",
    "smaller gradient": "#CFE3F1",
    "gradient above {threshold:g}": style.BLUE,
    "the predicted code": style.VERMILION,
}


def draw(facts: Mapping[str, Any], maps: Mapping[str, NDArray[Any]], level: str) -> Figure:
    """Return maps of one prior: a row untrained, a row trained, a column for each code-frame.

    Code-frames after that of the predicted code have no influence and are left out.
    """
    threshold = facts["receptive_field"]["threshold"]
    place = facts["receptive_field"][level]["trained"]["place"]
    figure = style.figure(style.WIDTH, 0.55 + 2 * style.WIDTH / (place[0] + 2.5))
    every = figure.subplots(len(ROWS), place[0] + 1, squeeze=False)
    for line, name in zip(every, ROWS, strict=True):
        values_THW = maps[f"receptive_field/{level}/{name}"]
        for frame, axes in enumerate(line):
            _map(axes, _classes(values_THW, threshold, place)[frame])
            axes.set_title("same code-frame" if frame == place[0] else f"{frame - place[0]:+d}")
        line[0].set_ylabel(name)
    handles = [
        Patch(facecolor=shade, edgecolor=style.GREY, label=text.format(threshold=threshold))
        for text, shade in CLASSES.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(CLASSES))
    return figure


def _classes(values_THW: NDArray[Any], threshold: float, place: Any) -> NDArray[Any]:
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
