"""Pictures whose middle a model filled in, side by side: given, asked for, whole, filled in."""

from typing import Annotated

import numpy
from pydantic import Field

from foreframe.report import strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.strips import Frames, Row


class Settings(Spec):
    """`of` is `samples / run / protocol`, `frames` the array (n,S,h,H,W,3) of what was filled in.

    Given frames are pictures without their middle, predicted ones whole. `hole` and `bits` are keys
    of settings: the side of what was cut out, and in how many grey levels frames are shown.
    """

    of: str
    frames: str
    pictures: Annotated[int, Field(ge=1)]
    hole: str
    bits: str


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return a row of each kind; a box stands around what was filled in."""
    hole, bits = (int(desk.settings.section(key)) for key in (settings.hole, settings.bits))
    with desk.arrays(*settings.of.split(" / ")) as file:
        true_nTHWC = file["real"][: settings.pictures]
        filled_nHWC = file[settings.frames][: settings.pictures, 0, -1]
    given, whole, filled = (
        strips.coarse(frames, bits) for frames in (true_nTHWC[:, 0], true_nTHWC[:, -1], filled_nHWC)
    )
    rows = [
        Row("given", given),
        Row("asked for", middle(whole, hole)),
        Row("whole", whole),
        Row("filled in", filled, box=hole),
    ]
    return [Picture(strips.draw(rows, range(1, len(whole) + 1)))]


def middle(frames_nHWC: Frames, side: int) -> Frames:
    """Return frames of which the middle `side` x `side` pixels are left, on white."""
    top, left = ((length - side) // 2 for length in frames_nHWC.shape[1:3])
    place = (slice(None), slice(top, top + side), slice(left, left + side))
    found = numpy.full_like(frames_nHWC, 255)
    found[place] = frames_nHWC[place]
    return found
