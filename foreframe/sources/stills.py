"""What the sources of still pictures share: each picture is an episode of its own.

With a hole the episode is a task, to fill it: first the picture with a black square in its middle,
then the whole one (the faces of Glissov and Konradsen 2021, figure A.4). Whatever predicts a frame
from the one before it can then be asked for what is missing.
"""

from collections.abc import Iterator
from typing import Annotated, Self

import numpy
from numpy.typing import NDArray
from pydantic import Field, model_validator

from foreframe.sources import Row, SourceSettings

Picture = NDArray[numpy.uint8]  # (height, width, 3)


class StillSettings(SourceSettings):
    """The side of the hole in pixels, 0 for none: an episode is then one frame."""

    hole: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _hole_has_a_place(self) -> Self:
        size = f"hole is {self.hole}, but frames are {self.height} x {self.width}"
        if self.hole and self.hole >= min(self.height, self.width):
            raise ValueError(
                f"{size}, and nothing around it would be left. Make it smaller, or 0 for whole "
                "pictures."
            )
        if self.hole and ((self.height - self.hole) % 2 or (self.width - self.hole) % 2):
            raise ValueError(f"{size}, so it has no middle to lie in. Make all three even.")
        return self


def rows(picture_HW3: Picture, hole: int) -> Iterator[Row]:
    """Yield the frames of a picture's episode: with its hole, if there is one, then whole."""
    nothing = numpy.empty(0, numpy.float32)
    if hole:
        yield blanked(picture_HW3, hole), nothing, nothing
    yield picture_HW3, nothing, nothing


def blanked(picture_HW3: Picture, hole: int) -> Picture:
    """Return a picture with a black square of `hole` pixels in its middle."""
    top, left = ((side - hole) // 2 for side in picture_HW3.shape[:2])
    found = picture_HW3.copy()
    found[top : top + hole, left : left + hole] = 0
    return found
