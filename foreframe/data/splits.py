"""Cutting the frames into training, validation and test set: contiguous in time, never at random.

Overlapping clips of a random split would share all frames but one with the training set and hide
overfitting (Xu 2022, 4.1). A run is [start, stop) in frames and lies inside one episode. Where the
authors of the data have cut it, numbers compare with theirs only under their cut.
"""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

from foreframe.config.split import SETS, Split
from foreframe.data.clips import Run, SplitRuns
from foreframe.errors import UserError


def cut(episodes: Sequence[Run], parts: Sequence[str], split: Split) -> SplitRuns:
    """Return the runs of each set, for episodes that follow each other from frame 0.

    `parts` has for each episode its official set, or "" where the data has none.

    Raises:
        UserError: a set gets no frame, or there are no official sets to keep to.
    """
    if split.by == "official":
        sets = _official(episodes, parts, split)
    else:
        sets = _by_share(episodes, split)
    for name, runs in sets.items():
        if not runs:
            raise UserError(_empty(name, episodes[-1][1], split))
    return SplitRuns(**sets)


def _by_share(episodes: Sequence[Run], split: Split) -> dict[str, tuple[Run, ...]]:
    total = episodes[-1][1]
    borders = [
        0,
        round(split.train * total),
        round((split.train + split.validation) * total),
        total,
    ]
    part = _part_by_time if split.by == "time" else _part_by_episode
    runs = [part(episodes, start, stop) for start, stop in pairwise(borders)]
    return dict(zip(SETS, runs, strict=True))


def _official(
    episodes: Sequence[Run], parts: Sequence[str], split: Split
) -> dict[str, tuple[Run, ...]]:
    if not any(parts):
        raise UserError(
            "split.by is official, but this source has no official sets. Choose time or episode."
        )
    if unknown := sorted(set(parts) - set(SETS)):
        raise UserError(
            f"split.by is official, but an episode's set is {unknown[0]!r}, which is none of "
            f"{', '.join(SETS)}. Choose time or episode, or correct the source."
        )
    sets = {
        name: tuple(run for run, part in zip(episodes, parts, strict=True) if part == name)
        for name in SETS
    }
    if not sets["validation"]:
        sets["train"], sets["validation"] = _last_share(
            sets["train"], split.validation / (split.train + split.validation)
        )
    return sets


def _last_share(runs: tuple[Run, ...], share: float) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """Divide whole episodes: the second part holds about `share` of the frames."""
    lengths = [stop - start for start, stop in runs]
    border = (1 - share) * sum(lengths)
    # As elsewhere, an episode belongs to the part in which its middle lies.
    ends = zip(accumulate(lengths), lengths, strict=True)
    kept = sum(end - length / 2 < border for end, length in ends)
    return runs[:kept], runs[kept:]


def _part_by_time(episodes: Sequence[Run], start: int, stop: int) -> tuple[Run, ...]:
    cuts = [(max(first, start), min(last, stop)) for first, last in episodes]
    return tuple((first, last) for first, last in cuts if first < last)


def _part_by_episode(episodes: Sequence[Run], start: int, stop: int) -> tuple[Run, ...]:
    # An episode belongs to the set in which its middle lies.
    return tuple(run for run in episodes if start <= sum(run) / 2 < stop)


def _empty(name: str, total: int, split: Split) -> str:
    if split.by == "official":
        return (
            f"split: the official {name} set has no frame. Add the episodes of that set, or choose "
            "split.by: episode."
        )
    fraction = getattr(split, name)
    needed = math.ceil(1 / fraction)
    cure = (
        f"collect at least {needed} frames (there are {total})"
        if needed > total
        else "collect longer or more episodes"
    )
    return f"split: the {name} set has no frame. Raise split.{name} (it is {fraction}), or {cure}."
