"""Clips that are each one picture: their frames over each other, the earliest the faintest."""

from typing import Annotated

import numpy
from pydantic import Field

from foreframe.report import strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.strips import Frames, Row


class Settings(Spec):
    """`of` is the run of an analysis with clips (n,T,H,W,3) of bright things before black.

    The picture has those of the array `between` side by side, with the first clip of `ends` before
    and its last behind them, each of its first `frames` frames.
    """

    of: str
    between: str
    ends: str
    frames: Annotated[int, Field(ge=1)]


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the clips in one row."""
    with desk.arrays("analysis_arrays", settings.of) as file:
        between, ends = file[settings.between][:], file[settings.ends][:]
    clips = numpy.concatenate([ends[:1], between, ends[-1:]])
    pictures = overlaid(clips[:, : settings.frames])
    row = Row(f"frames 1 to {min(settings.frames, clips.shape[1])}", pictures)
    return [Picture(strips.draw([row], range(1, len(pictures) + 1)))]


def overlaid(clips_nTHWC: Frames) -> Frames:
    """Return the brightest of t/T times frame t at each pixel, uint8 (n,H,W,3)."""
    count = clips_nTHWC.shape[1]
    weights = numpy.arange(1, count + 1)[:, None, None, None] / count
    found: Frames = (clips_nTHWC * weights).max(axis=1).round().astype(numpy.uint8)
    return found
