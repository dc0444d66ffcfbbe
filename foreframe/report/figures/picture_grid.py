"""Single pictures that an analysis made, in a grid whose rows belong together."""

from typing import Annotated, Self

import numpy
from pydantic import Field, model_validator

from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.figures.gallery import grid


class Settings(Spec):
    """`of` is the run of an analysis, `frames` an array (R,K,H,W,3) of it: a row for each of R.

    `ends` (R,2,H,W,3) stand before and after the rows, as true pictures do around those between.
    With `again`, (N,H,W,3) as `frames` then is too, each picture stands beside what comes back of
    it: `pairs` of them in a row, of which only whole rows are shown.
    """

    of: str
    frames: str
    ends: str = ""
    again: str = ""
    pairs: Annotated[int, Field(ge=1)] = 4

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.ends and self.again:
            raise ValueError("ends are of rows, and again is of single pictures: name one of them")
        return self


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the grid."""
    with desk.arrays("analysis_arrays", settings.of) as file:
        frames = file[settings.frames][:]
        if settings.ends:
            ends = file[settings.ends][:]
            frames = numpy.concatenate([ends[:, :1], frames, ends[:, 1:]], axis=1)
        if settings.again:
            both = numpy.stack([frames, file[settings.again][:]], axis=1)
            pairs = min(settings.pairs, len(both))
            whole = len(both) // pairs * pairs
            frames = both[:whole].reshape(whole // pairs, 2 * pairs, *both.shape[2:])
    return [Picture(grid(frames.reshape(-1, *frames.shape[2:]), len(frames)))]
