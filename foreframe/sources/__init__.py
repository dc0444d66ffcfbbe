"""Where frames come from: each kind of source is one file that streams episodes of 8-bit frames.

A source module has `Settings` (a `SourceSettings`) and
`stream(settings, seed, videos, workers, first) -> Stream`: `videos` is the folder of the user's own
data, `workers` is how many processes may work, and `first` is how many leading episodes an earlier,
interrupted run has recorded. These are left out, not made again, and what follows is the same bytes
as in a whole run. docs/data.md has a section for each kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated

import numpy
from numpy.typing import NDArray
from pydantic import Field

from foreframe.config.base import Strict

# Frames travel in blocks of this many: no source holds a whole video in memory.
BLOCK = 32

# A frame, uint8 (height, width, 3), the mean action until the next one, and the state at its time.
Row = tuple[NDArray[numpy.uint8], NDArray[numpy.floating], NDArray[numpy.floating]]


class SourceSettings(Strict):
    """What every source is asked for: the size of the frames (pixels) and the time between them."""

    kind: str
    height: Annotated[int, Field(ge=8, le=2048)]
    width: Annotated[int, Field(ge=8, le=2048)]
    frame_interval: Annotated[float, Field(gt=0, le=3600)]  # seconds


@dataclass(frozen=True)
class Block:
    """Up to `BLOCK` consecutive frames.

    Attributes:
        frames: uint8 (n, height, width, 3), RGB.
        actions: float32 (n, number of actions); row i is the mean action from frame i to the next.
        states: float32 (n, number of states); row i holds at the moment of frame i.
    """

    frames: NDArray[numpy.uint8]
    actions: NDArray[numpy.float32]
    states: NDArray[numpy.float32]


@dataclass(frozen=True)
class Episode:
    """An unbroken run of frames; `blocks` is read once, before the next episode is asked for.

    Attributes:
        origin: the seed or the file name that the frames come from.
        total: the number of episodes that the source has.
        blocks: the frames in order of time.
        part: the set that the authors of the data put it in, `train`, `validation` or `test`; empty
            where they name none.
        labels: the class it belongs to, by the label's name, counted from 0; the names are those of
            the stream.
    """

    origin: str
    total: int
    blocks: Iterator[Block]
    part: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """What a source gives: its episodes, each made when it is asked for.

    Attributes:
        actions: the names of the action channels, empty if there are none.
        states: the names of what is known of the scene in each frame, empty if nothing is.
        episodes: all but those left out at the beginning, in an order that never changes.
        labels: the names of the classes that whole episodes belong to, by the label's name.
    """

    actions: tuple[str, ...]
    states: tuple[str, ...]
    episodes: Iterator[Episode]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def in_blocks(rows: Iterator[Row]) -> Iterator[Block]:
    """Yield blocks of rows: `BLOCK` in each, fewer in the last."""
    while chunk := list(islice(rows, BLOCK)):
        frames, actions, states = (numpy.stack(column) for column in zip(*chunk, strict=True))
        yield Block(frames, actions.astype(numpy.float32), states.astype(numpy.float32))
