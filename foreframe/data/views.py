"""What a model sees of a data set: how long its clips are, how far apart, and in which numbers.

A view is a section of a model's settings. A split says which frames are whose and nothing of clips,
so models that see clips of different lengths learn from one data set.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from numpy.typing import NDArray
from pydantic import Field, model_validator

from foreframe.config.base import Strict
from foreframe.data import frames as frames_file
from foreframe.data.clips import Clips, Run, SplitRuns, windows
from foreframe.errors import UserError

# How many names a message lists before it says "and N more".
LISTED = 10

Stride = Annotated[int, Field(ge=1)]

# What is said of pixels, and so of no states.
PIXELS = ("channels", "scaling", "bits", "dequantise")


class View(Strict):
    """Clips of `frames` frames that begin a stride apart, in frames, and how pixels become numbers.

    `of: states` gives what the source knows of each frame, as it is, in place of the frame itself;
    the last four are null then.
    """

    of: Literal["frames", "states"]
    frames: Annotated[int, Field(ge=1, le=4096)]
    train_stride: Stride
    evaluation_stride: Stride
    channels: Literal["colour", "grey"] | None
    # With n = 2 ** bits grey levels, k = 0 ... n - 1:
    #   unit       k / (n - 1), or (k + u) / n where u, uniform in [0, 1), dequantises
    #   symmetric  2 unit - 1
    #   centred    k / n - 1/2, or (k + u) / n - 1/2
    #   standard   unit less the training frames' mean, over their deviation, colour by colour
    scaling: Literal["standard", "unit", "symmetric", "centred"] | None
    bits: Annotated[int, Field(ge=1, le=8)] | None
    dequantise: bool | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in PIXELS if getattr(self, name) is not None]
        if self.of == "states" and given:
            raise ValueError(f"of is states, which have no {given[0]}. Set {given[0]} to null.")
        if self.of == "frames" and len(given) < len(PIXELS):
            lacking = next(name for name in PIXELS if name not in given)
            raise ValueError(f"{lacking} is null, but of is frames. Say how they are seen.")
        plain = (self.channels, self.bits, self.dequantise) == ("colour", 8, False)
        if self.scaling == "standard" and not plain:
            raise ValueError(
                "scaling is standard, which is measured on 8-bit colours. Set channels to colour, "
                "bits to 8 and dequantise to false, or choose unit, symmetric or centred."
            )
        return self

    @property
    def colours(self) -> int:
        """How many channels a frame has."""
        assert self.of == "frames"
        return 3 if self.channels == "colour" else 1

    def stride(self, set_name: str) -> int:
        """Return how far apart the clips of a set begin, in frames."""
        return self.train_stride if set_name == "train" else self.evaluation_stride

    def starts(
        self, runs: SplitRuns, set_name: str, stride: int | None = None
    ) -> NDArray[numpy.int64]:
        """Return the first frame of each clip of a set, at the view's own stride unless given.

        Raises:
            UserError: the set has no clip.
        """
        found = windows(runs.runs(set_name), self.frames, stride or self.stride(set_name))
        if not len(found):
            longest = max(stop - start for start, stop in runs.runs(set_name))
            raise UserError(
                f"The {set_name} set has no clip: a clip takes {self.frames} frames in a row, its "
                f"longest run has {longest}. Lower view.frames, raise split.{set_name} (where "
                "split.by is official, add the episodes of that set), or collect longer or more "
                "episodes."
            )
        return found

    def clips(
        self,
        frames: Path,
        runs: SplitRuns,
        set_name: str,
        *,
        stride: int | None = None,
        every: int = 1,
    ) -> Clips:
        """Return each `every`-th clip of a set; see `starts` for the stride.

        Raises:
            UserError: the set has no clip, or an episode of it is shorter than one.
        """
        refuse_short(frames, runs.runs(set_name), self.frames, "view.frames")
        return Clips(frames, self.starts(runs, set_name, stride)[::every], self.frames)


def require(view: View, who: str, **wanted: object) -> None:
    """Refuse a view that a model is not made for; `wanted` is what it takes, by setting.

    Raises:
        ValueError: names what `who` takes; settings that pydantic checks turn it into a UserError.
    """
    for name, value in wanted.items():
        if (found := getattr(view, name)) != value:
            raise ValueError(
                f"view.{name} is {found}, but {who} is built for {value}. Set it to {value}."
            )


def refuse_short(frames: Path, runs: Sequence[Run], length: int, setting: str) -> None:
    """Refuse episodes of some runs that hold no clip: to leave them out would change the data.

    Raises:
        UserError: names the episodes and the cure.
    """
    episodes = numpy.array(frames_file.episodes(frames))
    borders = numpy.array(runs)
    # Runs lie inside episodes and follow each other as these do.
    used = numpy.unique(numpy.searchsorted(episodes[:, 0], borders[:, 0], side="right") - 1)
    lengths = episodes[used, 1] - episodes[used, 0]
    short = used[lengths < length]
    if not len(short):
        return
    with frames_file.opening(frames) as file:
        origins = [file["episode_origin"].asstr()[number] for number in short[:LISTED]]
    named = [
        f"{origin} ({episodes[number, 1] - episodes[number, 0]} frames)"
        for origin, number in zip(origins, short, strict=False)
    ]
    more = f" and {len(short) - LISTED} more" if len(short) > LISTED else ""
    raise UserError(
        f"Shorter than one clip of {length} frames: {', '.join(named)}{more}. Make these episodes "
        f"longer or remove them, or lower {setting} or source.frame_interval."
    )
