"""A drawing that a study declares: boxes, arrows, curves and points, in inches from the lower left.

Texts may name settings of runs, as in `{top/channels} channels` or `{top/training.phases.0.steps}`,
so that a drawing has the numbers of what was run.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy
from numpy.typing import NDArray
from pydantic import Field

from foreframe.config.base import Strict
from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.schematics import diagram
from foreframe.report.schematics.diagram import Diagram

Point = tuple[float, float]
SIDES = ("left", "right", "top", "bottom")
PLACE = re.compile(r"\{(\w+)/([\w.]+)\}")
COLOURS = {
    "ink": style.INK,
    "grey": style.GREY,
    "pale": style.PALE,
    "blue": style.BLUE,
    "red": style.VERMILION,
    "green": style.GREEN,
    "purple": style.PURPLE,
    "orange": style.ORANGE,
}
Colour = Literal["ink", "grey", "pale", "blue", "red", "green", "purple", "orange"]
SMOOTH = 24  # pieces of a curve between two of its points


class Box(Strict):
    """A box at its lower left corner; a sign alone makes it an operator around that point."""

    at: Point
    width: float = 0.0
    height: float | None = None
    title: str = ""
    details: tuple[str, ...] = ()
    fill: Literal["data", "network", "codes", "operation", "attention", "condition"] = "network"
    sign: str = ""


class Arrow(Strict):
    """An arrow through places: a point, or a box and its side, as in `noise.right`."""

    path: Annotated[tuple[Point | str, ...], Field(min_length=2)]
    label: str = ""
    colour: Colour = "grey"
    dashed: bool = False
    head: bool = True


class Frame(Strict):
    """A dashed frame around what repeats or belongs together."""

    at: Point
    width: float
    height: float
    title: str


class Curve(Strict):
    """A smooth line through points; it ends in none of them."""

    points: Annotated[tuple[Point, ...], Field(min_length=2)]
    colour: Colour = "ink"
    width: float = 1.2


class Dots(Strict):
    """Points of one colour, hollow or filled, each with a text beside it or none."""

    points: tuple[Point, ...]
    colour: Colour = "ink"
    area: float = 14.0
    hollow: bool = False
    labels: tuple[str, ...] = ()


class Note(Strict):
    """Small text that begins, ends or has its middle at a point."""

    at: Point
    text: str
    align: Literal["left", "center", "right"] = "left"


class Grid(Strict):
    """Numbers in cells, its lower left corner at a point: a map of indices."""

    at: Point
    cell: float = 0.28
    rows: tuple[tuple[int | str, ...], ...]
    title: str = ""


class Settings(Spec):
    """Everything is drawn in the order of these keys, in a picture of `size`, width and height."""

    size: Point
    frames: tuple[Frame, ...] = ()
    curves: tuple[Curve, ...] = ()
    boxes: dict[str, Box] = Field(default={})
    grids: tuple[Grid, ...] = ()
    dots: tuple[Dots, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    notes: tuple[Note, ...] = ()


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the drawing."""
    return [Picture(drawing(settings, desk).figure)]


def drawing(settings: Settings, desk: Desk) -> Diagram:
    """Return the drawing with its boxes.

    Raises:
        UserError: an arrow names a box that is not there, or a text a setting that is none.
    """
    found = Diagram(*settings.size)
    for frame in settings.frames:
        found.frame(*frame.at, frame.width, frame.height, filled(frame.title, desk))
    for curve in settings.curves:
        xs, ys = through(curve.points).T
        found.axes.plot(xs, ys, color=COLOURS[curve.colour], linewidth=curve.width)
    boxes = {name: _box(found, box, desk) for name, box in settings.boxes.items()}
    for grid in settings.grids:
        _grid(found, grid, desk)
    for dots in settings.dots:
        _dots(found, dots, desk)
    for arrow in settings.arrows:
        path = [_place(end, boxes) for end in arrow.path]
        label = filled(arrow.label, desk)
        found.arrow(
            *path, label=label, colour=COLOURS[arrow.colour], dashed=arrow.dashed, head=arrow.head
        )
    for note in settings.notes:
        found.note(*note.at, filled(note.text, desk), note.align)
    return found


def filled(text: str, desk: Desk) -> str:
    """Return a text with the settings that it names; the trainings of these runs are noted.

    Raises:
        UserError: there is no such run or no such setting.
    """

    def value(match: re.Match[str]) -> str:
        run, key = match.groups()
        found: Any = desk.run(run)
        for part in key.split("."):
            try:
                found = found[int(part)] if isinstance(found, list | tuple) else found[part]
            except (KeyError, IndexError, TypeError, ValueError):
                raise UserError(f"the run {run} has no setting {key}.") from None
        return ", ".join(map(str, found)) if isinstance(found, list | tuple) else str(found)

    for run, _ in PLACE.findall(text):
        desk.note("training", run)
    return PLACE.sub(value, text)


def through(points: tuple[Point, ...]) -> NDArray[numpy.float64]:
    """Return a smooth curve through points (Catmull and Rom 1974), shape (..., 2)."""
    given = numpy.asarray(points, dtype=float)
    ends = numpy.vstack([2 * given[0] - given[1], given, 2 * given[-1] - given[-2]])
    time = numpy.linspace(0.0, 1.0, SMOOTH, endpoint=False)[:, None]
    pieces = [
        0.5
        * (
            2 * b
            + (c - a) * time
            + (2 * a - 5 * b + 4 * c - d) * time**2
            + (3 * b - a - 3 * c + d) * time**3
        )
        for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False)
    ]
    return numpy.vstack([*pieces, given[-1:]])


def _box(found: Diagram, box: Box, desk: Desk) -> diagram.Box:
    if box.sign:
        return found.node(*box.at, box.sign)
    details = [filled(text, desk) for text in box.details]
    return found.box(*box.at, box.width, filled(box.title, desk), details, box.fill, box.height)


def _place(end: Point | str, boxes: Mapping[str, diagram.Box]) -> Point:
    if not isinstance(end, str):
        return end
    name, _, side = end.partition(".")
    if name not in boxes or side not in SIDES:
        known = ", ".join(boxes)
        raise UserError(
            f"an arrow goes to {end}, which is none of left, right, top and bottom of: {known}."
        )
    place: Point = getattr(boxes[name], side)
    return place


def _grid(found: Diagram, grid: Grid, desk: Desk) -> None:
    left, low = grid.at
    for row, cells in enumerate(reversed(grid.rows)):
        for column, cell in enumerate(cells):
            corner = (left + column * grid.cell, low + row * grid.cell)
            found.cell(*corner, grid.cell, str(cell))
    middle = left + len(grid.rows[0]) * grid.cell / 2
    found.note(middle, low + len(grid.rows) * grid.cell + 0.1, filled(grid.title, desk), "center")


def _dots(found: Diagram, dots: Dots, desk: Desk) -> None:
    xs, ys = zip(*dots.points, strict=True)
    colour = COLOURS[dots.colour]
    face = "white" if dots.hollow else colour
    found.axes.scatter(xs, ys, s=dots.area, facecolor=face, edgecolor=colour, zorder=3)
    for (x, y), label in zip(dots.points, dots.labels, strict=False):
        found.note(x + 0.06, y + 0.08, filled(label, desk))
