"""Frames that are evenly spread over a whole recording, or the first of futures that were drawn."""

import numpy
from PIL import Image

from foreframe.report import strips
from foreframe.report.desk import Desk, Picture, Spec

FRAMES, ROWS = 12, 2


class Settings(Spec):
    """`data` is the name of a data set, or `schema / run / protocol` of samples.

    Of these `frames` names an array (n,S,h,H,W,3).
    """

    data: str
    frames: str = ""


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the frames in a grid, each pixel enlarged."""
    if settings.frames:
        with desk.arrays(*settings.data.split(" / ")) as file:
            return [Picture(grid(file[settings.frames][:FRAMES, 0, 0]))]
    with desk.arrays("frames", settings.data) as file:
        count = len(file["frames"])
        places = numpy.unique(numpy.linspace(0, count - 1, FRAMES + 2).round()[1:-1])
        frames: strips.Frames = file["frames"][places.astype(numpy.int64)]
    return [Picture(grid(frames))]


def grid(frames: strips.Frames) -> Image.Image:
    """Return single frames (k, H, W, 3) in rows."""
    factor = strips.factor_for(frames.shape[2], strips.CELL)
    columns = -(-len(frames) // ROWS)
    step = [length * factor + strips.GAP for length in (frames.shape[2], frames.shape[1])]
    rows = -(-len(frames) // columns)
    size = (columns * step[0] - strips.GAP, rows * step[1] - strips.GAP)
    image = Image.new("RGB", size, "white")
    for place, frame in enumerate(frames):
        corner = (place % columns * step[0], place // columns * step[1])
        image.paste(Image.fromarray(strips.enlarge(frame, factor)), corner)
    return image
