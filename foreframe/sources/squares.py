"""What the sources of square pictures share: square frames, and pictures that lie in one file."""

from collections.abc import Mapping
from typing import Self

from pydantic import model_validator

from foreframe.sources import Episode, in_blocks
from foreframe.sources.reading.fitting import fit
from foreframe.sources.stills import Picture, StillSettings, rows


class SquareSettings(StillSettings):
    """Frames that are square, as the pictures are: others would lose more of them."""

    @model_validator(mode="after")
    def _square(self) -> Self:
        if self.height != self.width:
            raise ValueError(
                f"frames are {self.height} x {self.width}, but those of {self.kind} are square. "
                "Set height and width to the same number."
            )
        return self


def episode(
    settings: SquareSettings,
    picture_HW3: Picture,
    origin: str,
    total: int,
    part: str,
    labels: Mapping[str, int],
) -> Episode:
    """Return the episode of a picture that has been read, scaled to the frame.

    Args:
        settings: the size of the frame, and the hole.
        picture_HW3: uint8 (H, W, 3).
        origin: what the episode is called.
        total: how many episodes the source has.
        part: its official set.
        labels: its class by the label's name.
    """
    frame_HW3 = fit(picture_HW3, settings.height, settings.width)
    return Episode(origin, total, in_blocks(rows(frame_HW3, settings.hole)), part, labels)
