"""What stored pictures of `drawn_objects` show, and the pictures of any pose on the way to another.

So that what lies between two pictures has a truth. Only the file of frames is read: an episode's
origin tells its look, a frame's states its pose. Other sources do not know what they show.

Shapes: E episodes, N frames, H rows, W columns.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.data import frames as frames_file
from foreframe.errors import ArtefactError
from foreframe.sources import drawn_objects
from foreframe.sources.drawn_objects import Look

KIND = "drawn_objects"
ORIGIN = re.compile(r"seed (\d+) episode (\d+)")
# Into how many equal turns a whole one falls that leave an object as it was, where that is not one;
# discs and rings look alike at any angle.
TURNS = {"square": 4, "triangle": 3, "cross": 4, "bar": 2, "star": 5}

Pose = NDArray[numpy.floating[Any]]  # x, y, radius, angle, as the source has them


@dataclass(frozen=True)
class Scenes:
    """The look and the pose of every frame of a file.

    Attributes:
        size: rows and columns of a picture.
        starts: the first frame of each episode, (E,).
        origins: what the source calls each episode.
        poses: of each frame, (N,4).
    """

    size: tuple[int, int]
    starts: NDArray[numpy.int64]
    origins: Sequence[str]
    poses: Pose

    def look(self, frame: int) -> Look:
        """Return how the episode of a frame looks.

        Raises:
            ArtefactError: its origin is not the source's.
        """
        origin = self.origins[int(numpy.searchsorted(self.starts, frame, side="right")) - 1]
        found = ORIGIN.fullmatch(origin)
        if found is None:
            raise ArtefactError(f"{origin} is no origin of {KIND}. Run the stage collect again.")
        return drawn_objects.look(int(found[1]), int(found[2]))

    def between(self, frame: int, other: int, share: float) -> NDArray[numpy.uint8]:
        """Return the picture (H,W,3) of a frame's look, so far on the way to another's pose."""
        look = self.look(frame)
        pose = between(look.shape, self.poses[frame], self.poses[other], share)
        return drawn_objects.draw(look, pose, *self.size)


def of(path: Path) -> Scenes | None:
    """Return the scenes of a file of frames, or None where its source does not know them."""
    with frames_file.opening(path) as file:
        if file.attrs.get("source") != KIND:
            return None
        _, height, width, _ = file["frames"].shape
        return Scenes(
            (height, width),
            file["episode_start"][:],
            file["episode_origin"].asstr()[:].tolist(),
            file["states"][:].astype(numpy.float64),
        )


def between(shape: str, first: Pose, second: Pose, share: float) -> Pose:
    """Return the pose so far on the straight way from one to another; 0 is the first.

    The angle goes the shorter way round, to the nearest angle at which the object looks the same.
    """
    turn = 2 * math.pi / TURNS.get(shape, 1)
    away = second - first
    away[3] = (away[3] + turn / 2) % turn - turn / 2
    pose: Pose = first + share * away
    return pose
