"""The levels of a cascade: their settings, what follows from these, and what does not fit.

A level is a generator and its critics at a rate and a size of its own. Rates are counted in frames
of the view, so clips of all levels cover the same time. A level above the first one is trained on
windows of the clips below, and then makes whole clips.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict
from foreframe.networks.video_critics import CriticSettings
from foreframe.networks.video_gan import GeneratorSettings

Count = Annotated[int, Field(ge=1)]


class Level(Strict):
    """A level; its number of frames follows from `every`.

    Kinetics-600, of 48 frames: every 2, size 32, window null; every 1, size 128, window 6.
    """

    every: Count  # frames of the view from one of its frames to the next; 1 for the last level
    size: Count  # rows and columns of its frames
    window: Count | None  # frames of the level below in a training example; null: the whole clip
    generator: GeneratorSettings
    critic: CriticSettings


@dataclass(frozen=True)
class Shape:
    """What follows for a level.

    Attributes:
        frames: of a whole clip.
        seen: frames of the level below in a training example; 0 for the first level.
        example: its own frames in one.
        below: rows of the level below; 0 for the first level.
        times: its frames for one of the level below; 1 for the first level.
    """

    frames: int
    seen: int
    example: int
    below: int
    times: int


def players(place: int) -> tuple[str, str]:
    """Return what generator and critic of the level at a place, from 0, are called."""
    return f"generator_{place + 1}", f"critic_{place + 1}"


def shapes(levels: Sequence[Level], frames: int) -> list[Shape]:
    """Return what follows for each level, of clips of so many frames of the view."""
    first = frames // levels[0].every
    found = [Shape(first, 0, first, 0, 1)]
    for below, level in itertools.pairwise(levels):
        times = below.every // level.every
        seen = level.window or found[-1].frames
        found.append(Shape(frames // level.every, seen, seen * times, below.size, times))
    return found


def check(levels: Sequence[Level], frames: int) -> None:
    """Refuse levels that do not fit each other, or clips of so many frames.

    Raises:
        ValueError: names the level and the cure.
    """
    _check_rates(levels, frames)
    for number, (level, shape) in enumerate(zip(levels, shapes(levels, frames), strict=True), 1):
        _check_nets(number, level, shape)
        if number > 1:
            _check_below(number, level, shape, levels[number - 2], shape.frames // shape.times)


def _check_rates(levels: Sequence[Level], frames: int) -> None:
    first, last = levels[0], levels[-1]
    if frames % first.every:
        raise ValueError(
            f"view.frames is {frames}, but level 1 has every {first.every} of them. Let clips have "
            "a multiple of that."
        )
    if last.every != 1:
        raise ValueError(
            f"every of the last level is {last.every}, but that one makes all frames of the view. "
            "Set it to 1."
        )
    for number, (below, level) in enumerate(itertools.pairwise(levels), 2):
        if below.every % level.every:
            raise ValueError(
                f"every of level {number} is {level.every} and that of level {number - 1} "
                f"{below.every}. Let each divide the one before."
            )
        if level.size % below.size:
            raise ValueError(
                f"size of level {number} is {level.size} and that of level {number - 1} "
                f"{below.size}. Let each be a multiple of the one before."
            )


def _check_nets(number: int, level: Level, shape: Shape) -> None:
    if level.size not in level.generator.sizes:
        kept, doubled = level.generator.sizes
        raise ValueError(
            f"The generator of level {number} makes frames of {kept} or {doubled} rows from its "
            f"grid and its multipliers, not of {level.size}. Change one of the three."
        )
    if level.critic.frames > shape.example:
        raise ValueError(
            f"The critic of level {number} sees {level.critic.frames} frames by themselves, but a "
            f"training example has {shape.example}. Lower critic.frames."
        )
    if number == 1 and (level.window is not None or level.critic.matching):
        raise ValueError(
            "Level 1 has no level below it. Set its window to null and critic.matching to false."
        )


def _check_below(number: int, level: Level, shape: Shape, below: Level, frames: int) -> None:
    if shape.seen > frames:
        raise ValueError(
            f"window of level {number} is {shape.seen}, but clips of the level below have {frames} "
            "frames. Lower it, or set it to null."
        )
    sides = [side for side in level.generator.sides(level.size) if side <= below.size]
    if odd := [side for side in sides if below.size % side]:
        raise ValueError(
            f"Units of the generator of level {number} have {odd[0]} rows, of which the "
            f"{below.size} of the level below are no multiple. Change its grid."
        )
