"""A picture of each class of a data set, with the name of the class under it."""

import json
from typing import Annotated

import numpy
from PIL import Image, ImageDraw
from pydantic import Field

from foreframe.errors import UserError
from foreframe.report import strips, style
from foreframe.report.desk import Desk, Picture, Spec

LINE = 3 * strips.TEXT // 2  # height of a name and the space around it


class Settings(Spec):
    """`data` is the name of a data set; `label` is the key of the setting that names its label.

    The pictures stand in so many `rows`.
    """

    data: str
    label: str
    rows: Annotated[int, Field(ge=1)] = 2


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the first frame of the first episode of each class, in the order of the classes.

    Raises:
        UserError: the data have no such label.
    """
    label = str(desk.settings.section(settings.label))
    with desk.arrays("frames", settings.data) as file:
        known = json.loads(file.attrs.get("label_classes", "{}"))
        if label not in known:
            there = ", ".join(known) or "none"
            raise UserError(f"{label} is no label of {settings.data}. There are: {there}.")
        labels_E = file[f"episode_label/{label}"][:]
        starts_E = file["episode_start"][:]
        shown = {
            name: file["frames"][int(starts_E[numpy.flatnonzero(labels_E == number)[0]])]
            for number, name in enumerate(known[label])
            if (labels_E == number).any()
        }
    return [Picture(album(shown, settings.rows))]


def album(shown: dict[str, strips.Frames], lines: int) -> Image.Image:
    """Return single frames (H, W, 3) by name, in so many lines, each over its name."""
    height, width = next(iter(shown.values())).shape[:2]
    factor = strips.factor_for(width, strips.CELL)
    columns = -(-len(shown) // lines)
    step = (width * factor + strips.GAP, height * factor + LINE)
    image = Image.new("RGB", (columns * step[0] - strips.GAP, lines * step[1]), "white")
    pen = ImageDraw.Draw(image)
    for place, (name, frame) in enumerate(shown.items()):
        left, top = place % columns * step[0], place // columns * step[1]
        image.paste(Image.fromarray(strips.enlarge(frame, factor)), (left, top))
        middle = (left + width * factor // 2, top + height * factor + LINE // 2)
        pen.text(middle, name, fill=style.INK, font=strips.font(strips.TEXT), anchor="mm")
    return image
