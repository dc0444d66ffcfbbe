"""Cutting the frames into training, validation and test set: contiguous in time, never at random.

Overlapping clips of a random split would share all frames but one with the training set and hide
overfitting (Xu 2022, 4.1). A run is [start, stop) in frames and lies inside one episode.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from foreframe.clips import Run, SplitRuns
from foreframe.config.split import SETS, Clip, Split
from foreframe.errors import UserError


def cut(episodes: Sequence[Run], split: Split, clip: Clip) -> SplitRuns:
    """Return the runs of each set, for episodes that follow each other from frame 0.

    Raises:
        UserError: a set gets no clip.
    """
    total = episodes[-1][1]
    borders = [
        0,
        round(split.train * total),
        round((split.train + split.validation) * total),
        total,
    ]
    part = _part_by_time if split.by == "time" else _part_by_episode
    parts = [part(episodes, start, stop) for start, stop in pairwise(borders)]
    for name, runs in zip(SETS, parts, strict=True):
        _check(name, runs, total, split, clip)
    return SplitRuns(
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        clip_frames=clip.frames,
        train_stride=split.train_stride,
        evaluation_stride=split.evaluation_stride,
    )


def _part_by_time(episodes: Sequence[Run], start: int, stop: int) -> tuple[Run, ...]:
    cuts = [(max(first, start), min(last, stop)) for first, last in episodes]
    return tuple((first, last) for first, last in cuts if first < last)


def _part_by_episode(episodes: Sequence[Run], start: int, stop: int) -> tuple[Run, ...]:
    # An episode belongs to the set in which its middle lies.
    return tuple(run for run in episodes if start <= sum(run) / 2 < stop)


def _check(name: str, runs: tuple[Run, ...], total: int, split: Split, clip: Clip) -> None:
    longest = max((stop - start for start, stop in runs), default=0)
    if longest >= clip.frames:
        return
    fraction = getattr(split, name)
    needed = math.ceil(clip.frames / fraction)
    cure = (
        f"collect at least {needed} frames (there are {total})"
        if needed > total
        else "collect longer or more episodes"
    )
    raise UserError(
        f"split: the {name} set has no clip: a clip takes {clip.frames} frames in a row, its "
        f"longest run has {longest}. Raise split.{name} (it is {fraction}), lower clip.frames, "
        f"or {cure}."
    )
