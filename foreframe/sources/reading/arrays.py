"""What sources of arrays have in common: which shapes and types they take, and rows of frames.

Suffixes: N frames, H height, W width, C channels, A numbers (action channels or states).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import Row
from foreframe.sources.reading.fitting import LARGEST_PICTURE, fit
from foreframe.sources.reading.resampling import RecordedSettings, resampled, seconds

# Numbers for each frame; more than this is no action and no state.
MOST_NUMBERS = 4096

# Stored bytes may unpack to more, as black frames do; beyond this it is no data but a trap.
MOST_UNPACKED = 1 << 30
MOST_RATIO = 500

Values = NDArray[numpy.floating]


@dataclass(frozen=True)
class Header:
    """The shape and type of an array that has not been read."""

    shape: tuple[int, ...]
    dtype: numpy.dtype

    @property
    def row_bytes(self) -> int:
        """The size of one of the rows along the first axis."""
        size = self.dtype.itemsize
        for side in self.shape[1:]:
            size *= side
        return size

    @property
    def size(self) -> int:
        """The size of the whole array in bytes."""
        return self.shape[0] * self.row_bytes


def check_frames(where: str, header: Header) -> None:
    """Refuse an array that holds no frames of 8 bits.

    Raises:
        UserError: names `where` it lies and what is expected.
    """
    shape = header.shape
    if header.dtype != numpy.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (3,)):
        raise UserError(
            f"{where} is {header.dtype} {shape}; frames are uint8 (N, H, W, 3), or (N, H, W) if "
            "they are grey. Convert it, values 0 to 255, channels last."
        )
    if 0 in shape:
        raise UserError(f"{where} has the shape {shape}: there is no frame. Remove it.")
    if shape[1] * shape[2] > LARGEST_PICTURE:
        raise UserError(f"{where} has frames of {shape[2]} x {shape[1]} pixels. Make them smaller.")


def check_numbers(where: str, header: Header, length: int) -> None:
    """Refuse actions or states that are not one row of numbers for each of `length` frames.

    Raises:
        UserError: names `where` they lie and what is expected.
    """
    shape = header.shape
    fits = len(shape) == 2 and shape[0] == length and 0 < shape[1] <= MOST_NUMBERS
    if header.dtype.kind not in "fiub" or not fits:
        raise UserError(
            f"{where} is {header.dtype} {shape}, but there are {length} frames; it must be numbers "
            f"({length}, A), one row for each frame. Correct it or leave it out."
        )


def check_unpacked(where: str, stored: int, size: int) -> None:
    """Refuse an array whose few stored bytes claim to be very many.

    Raises:
        UserError: names `where` it lies.
    """
    if size > MOST_UNPACKED and size > MOST_RATIO * stored:
        raise UserError(
            f"{where} claims {size} bytes, but only {stored} are stored. Write it again from the "
            "data it was made of, or remove it."
        )


def named(kind: str, names: tuple[str, ...], count: int, where: str) -> tuple[str, ...]:
    """Return the names of `count` channels: those given, or action_0, action_1, ...

    Raises:
        UserError: there is another number of names.
    """
    if names and len(names) != count:
        raise UserError(
            f"{where} names {len(names)} {kind}s ({', '.join(names)}), but has {count}. Correct "
            "the names or leave them out."
        )
    return names or tuple(f"{kind}_{number}" for number in range(count))


def same_names(
    first: tuple[tuple[str, ...], tuple[str, ...]],
    here: tuple[tuple[str, ...], tuple[str, ...]],
    where: str,
) -> None:
    """Refuse an episode whose (actions, states) are not those of the first one.

    Raises:
        UserError: names `where` it lies and both.
    """
    for kind, ours, theirs in zip(("actions", "states"), here, first, strict=True):
        if ours != theirs:
            raise UserError(
                f"{where} has the {kind} {', '.join(ours) or 'none'}, but the first episode has "
                f"{', '.join(theirs) or 'none'}. Bring all to the same, or collect them apart."
            )


def rows(
    where: str,
    settings: RecordedSettings,
    frames: Iterator[NDArray[numpy.uint8]],
    actions: Iterator[Values] | None,
    states: Iterator[Values] | None,
) -> Iterator[Row]:
    """Yield frames of the asked size and interval, with their actions and states.

    Args:
        where: names the episode in messages.
        settings: the size, and both intervals.
        frames: uint8 (H, W, 3), (H, W, 1) or (H, W) each.
        actions: (A,) for each frame, or None.
        states: the same.

    Raises:
        UserError: an action or a state is not finite.
    """
    nothing = numpy.empty(0, numpy.float32)
    recorded = zip(
        frames,
        repeat(nothing) if actions is None else _finite(f"{where}: actions", actions),
        repeat(nothing) if states is None else _finite(f"{where}: states", states),
        strict=False,
    )
    intervals = seconds(settings.recorded_interval), seconds(settings.frame_interval)
    for frame, action, state in resampled(recorded, *intervals):
        yield fit(coloured(frame), settings.height, settings.width), action, state


def coloured(frame: NDArray[numpy.uint8]) -> NDArray[numpy.uint8]:
    """Return a frame (H, W, 3), or (H, W, 1) or (H, W) if it is grey, as uint8 (H, W, 3)."""
    deep = frame if frame.ndim == 3 else frame[..., None]
    return numpy.broadcast_to(deep, (*deep.shape[:2], 3))


def _finite(where: str, values: Iterator[Values]) -> Iterator[Values]:
    for number, row in enumerate(values):
        with numpy.errstate(over="ignore"):
            narrow = row.astype(numpy.float32)
        if not numpy.isfinite(narrow).all():
            raise UserError(
                f"{where}, row {number}, has a number that is not finite as float32. Correct it."
            )
        yield narrow
