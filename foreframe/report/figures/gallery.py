"""Frames that are evenly spread over a whole recording, or the first of futures that were drawn."""

from typing import Annotated

import numpy
from PIL import Image
from pydantic import Field

from foreframe.report import strips
from foreframe.report.desk import Desk, Picture, Spec


class Settings(Spec):
    """`data` is the name of a data set, or `schema / run / protocol` of samples.

    Of these `frames` names an array: of futures (n,S,h,H,W,3) the first frame of the first of each
    is shown, of clips (n,T,H,W,3) the last. `bits` is a key of settings: in how many grey levels.
    There are at most `count` frames, in `rows`.
    """

    data: str
    frames: str = ""
    bits: str = ""
    count: Annotated[int, Field(ge=1)] = 12
    rows: Annotated[int, Field(ge=1)] = 2


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the frames in a grid, each pixel enlarged."""
    if settings.frames:
        with desk.arrays(*settings.data.split(" / ")) as file:
            stored = file[settings.frames][: settings.count]
        drawn: strips.Frames = stored[:, 0, 0] if stored.ndim == 6 else stored[:, -1]
        if settings.bits:
            drawn = strips.coarse(drawn, int(desk.settings.section(settings.bits)))
        return [Picture(grid(drawn, settings.rows))]
    with desk.arrays("frames", settings.data) as file:
        count = len(file["frames"])
        places = numpy.unique(numpy.linspace(0, count - 1, settings.count + 2).round()[1:-1])
        frames: strips.Frames = file["frames"][places.astype(numpy.int64)]
    return [Picture(grid(frames, settings.rows))]


def grid(frames: strips.Frames, lines: int) -> Image.Image:
    """Return single frames (k, H, W, 3) in so many lines."""
    factor = strips.factor_for(frames.shape[2], strips.CELL)
    columns = -(-len(frames) // lines)
    step = [length * factor + strips.GAP for length in (frames.shape[2], frames.shape[1])]
    rows = -(-len(frames) // columns)
    size = (columns * step[0] - strips.GAP, rows * step[1] - strips.GAP)
    image = Image.new("RGB", size, "white")
    for place, frame in enumerate(frames):
        corner = (place % columns * step[0], place // columns * step[1])
        image.paste(Image.fromarray(strips.enlarge(frame, factor)), corner)
    return image
