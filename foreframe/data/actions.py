"""The actions of frames.h5, by the frames that they led to.

A row of the file is the mean action from its frame to the next. Models that predict a frame want
the action before it: that is the row of the frame before, and zeros for the first of an episode.

Shapes: B clips, T frames, A action channels, E episodes.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy
import torch
from torch import Tensor

from foreframe.data import frames as frames_file


def names(file: h5py.File) -> tuple[str, ...]:
    """Return the names of the action channels; none where the source has no actions."""
    return tuple(json.loads(file.attrs["action_names"])) if "actions" in file else ()


def leading(file: h5py.File, starts: Iterable[int], frames: int) -> Tensor:
    """Return the actions that led to the frames of clips that begin at `starts`: float32 (B,T,A).

    Row t is the action from frame t - 1 to frame t. It is known for a clip's first frame too, as
    long as a frame of the same episode lies before; otherwise it is zero.
    """
    rows_NA = file["actions"]
    begins = set(file["episode_start"][:].tolist())
    clips = []
    for start in map(int, starts):
        first = start if start in begins else start - 1
        clip_TA = torch.zeros(frames, rows_NA.shape[1])
        known = torch.from_numpy(rows_NA[first : start + frames - 1].astype(numpy.float32))
        clip_TA[frames - len(known) :] = known
        clips.append(clip_TA)
    return torch.stack(clips) if clips else torch.zeros(0, frames, rows_NA.shape[1])


def read(path: Path, starts: Iterable[int], frames: int) -> Tensor:
    """Return `leading` of a file of frames that has actions: float32 (B,T,A).

    Raises:
        ArtefactError: the file is missing or damaged.
    """
    with frames_file.opening(path) as file:
        return leading(file, starts, frames)
