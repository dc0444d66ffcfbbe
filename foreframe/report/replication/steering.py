"""Figures of steering: how far futures turn by the actions that they are given, and what it shows.

They are drawn from what the stage `steer` wrote: facts, a row for each clip and kind, and frames.

Shapes: n shown clips, t given frames, h predicted ones, H rows, W columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from foreframe.artefacts import hdf5, tables
from foreframe.report import animations, strips, style
from foreframe.report.figures import Drawing
from foreframe.report.replication.study import Replication
from foreframe.report.strips import Frames, Row
from foreframe.steering import HELD, MEASURES, REAL, RECONSTRUCTION, RECORDED, SHUFFLED

Facts = Mapping[str, Any]

COLUMNS = ("clip", "actions", "steering", *MEASURES)
COLOURS = {"left": style.VERMILION, "straight": style.GREY, "right": style.BLUE}
COLOURS |= {RECORDED: style.GREEN, SHUFFLED: style.PURPLE}
COLOURS |= {REAL: style.INK, RECONSTRUCTION: style.ORANGE}
AXES = {"turn": "turn to the right (pixels a frame)", "read": "steering read off the frames"}
NAMES = {RECORDED: "as recorded", SHUFFLED: "another clip's", REAL: "real frames"}
SCATTERED = (REAL, RECORDED, SHUFFLED)


def drawings(replication: Replication) -> Iterator[Drawing]:
    """Yield the pictures in the order in which the report shows them."""
    facts, paths = replication.steering, {path.suffix: path for path in replication.inputs.steering}
    sources = [path.as_posix() for path in paths.values()]
    table = tables.read(paths[".csv"], COLUMNS, facts["table_checksum"])
    frames = read_frames(paths[".h5"])
    yield Drawing(
        "steering_means",
        "Mean turn of futures steered left, straight and right, as recorded and as in another "
        "clip, with intervals, beside real and reconstructed frames; two measures.",
        sources,
        means(facts),
    )
    yield Drawing(
        "steering_clips",
        "A point for each clip: its mean steering across, the measured turn upwards; for real "
        "frames, and for futures with the recorded actions and with another clip's.",
        sources,
        scatter(facts, table),
    )
    yield Drawing(
        "steered",
        "One clip in rows: real, and its future steered left, straight and right.",
        sources,
        strip(frames, 0),
        clip(frames, 0),
    )


def read_frames(path: Path) -> dict[str, NDArray[Any]]:
    """Read the context (n,t,H,W,3) and the futures (n,h,H,W,3), uint8, by kind.

    Raises:
        ArtefactError: the file is missing, damaged, or of another schema.
    """
    with hdf5.opening(path, "steering_rollouts") as file:
        return {name: file[name][...] for name in ("context", REAL, *HELD)}


def means(facts: Facts) -> Figure:
    """Return each kind's mean with its interval, a panel for each measure."""
    figure = style.figure(style.WIDTH, 2.2)
    every = figure.subplots(1, len(MEASURES), sharey=True)
    kinds = [kind for kind in COLOURS if kind in facts["measures"]["turn"]["mean"]][::-1]
    for axes, name in zip(every, MEASURES, strict=True):
        for place, kind in enumerate(kinds):
            _interval(axes, place, facts["measures"][name]["mean"][kind], COLOURS[kind])
        axes.axvline(0, color=style.GREY, linewidth=0.8)
        axes.set(xlabel=AXES[name], yticks=range(len(kinds)))
        axes.set_yticklabels([NAMES.get(kind, kind) for kind in kinds])
        axes.grid(axis="y", visible=False)
    return figure


def scatter(facts: Facts, table: pandas.DataFrame) -> Figure:
    """Return the measured turn of each clip over the steering that it was given."""
    figure = style.figure(style.WIDTH, 2.2)
    every = figure.subplots(1, len(SCATTERED), sharex=True, sharey=True)
    correlation = facts["measures"]["turn"]["correlation"]
    for axes, kind in zip(every, SCATTERED, strict=True):
        rows = table[table["actions"] == kind]
        axes.plot(rows["steering"], rows["turn"], "o", color=COLOURS[kind], markersize=3)
        said = NAMES[kind]
        if correlation[kind] is not None:
            said += f" (r = {correlation[kind]:.2f})"
        axes.set(title=said, xlabel="mean steering given")
    every[0].set_ylabel(AXES["turn"])
    return figure


def strip(frames: Mapping[str, Frames], number: int) -> Image.Image:
    """Return a strip of a clip: real, then its future with the steering held."""
    given = frames["context"][number]
    rows = [Row("real", numpy.concatenate([given, frames[REAL][number]]))]
    rows += [Row(kind, frames[kind][number], len(given) + 1) for kind in HELD]
    return strips.draw(rows, strips.around_horizon(len(given), len(rows[0].frames)), len(given))


def clip(frames: Mapping[str, Frames], number: int) -> Sequence[Image.Image]:
    """Return the rows of `strip` as panels that play."""
    given = frames["context"][number]
    panels = [
        Row(kind, numpy.concatenate([given, frames[kind][number]]))
        for kind in ("left", "straight", "right", REAL)
    ]
    return animations.draw(panels, len(given))


def _interval(axes: Axes, place: int, found: Mapping[str, Any], colour: str) -> None:
    if found["low"] is not None:
        axes.plot([found["low"], found["high"]], [place, place], color=colour)
    axes.plot([found["mean"]], [place], "o", color=colour)
