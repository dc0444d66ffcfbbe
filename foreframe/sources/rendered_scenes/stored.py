"""What stored frames show of rendered scenes: their scenes, so that masks and edits have a truth.

Only the file of frames is read, whose states tell everything; files of other sources have none.

Shapes: N frames, H rows, W columns, S states.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.data import frames as frames_file
from foreframe.sources.rendered_scenes import scene
from foreframe.sources.rendered_scenes.scene import Scene


@dataclass(frozen=True)
class Scenes:
    """The scenes of all frames of a file.

    Attributes:
        size: rows and columns of a frame.
        names: of the states.
        states: of each frame, float32 (N,S).
    """

    size: tuple[int, int]
    names: Sequence[str]
    states: NDArray[Any]

    def scene(self, frame: int) -> Scene:
        """Return the scene of a frame."""
        return scene.of_states(self.names, self.states[frame])

    def masks(self, frame: int) -> NDArray[numpy.int64]:
        """Return which solid each pixel of a frame shows (H,W), from 1; 0: the floor or beyond."""
        found: NDArray[numpy.int64] = self.scene(frame).look(*self.size).solids
        return found


def of(path: Path) -> Scenes | None:
    """Return the scenes of a file of frames, or None where its states do not tell them."""
    with frames_file.opening(path) as file:
        names = json.loads(file.attrs["state_names"])
        if not scene.tells(names):
            return None
        _, height, width, _ = file["frames"].shape
        return Scenes((height, width), names, file["states"][:])
