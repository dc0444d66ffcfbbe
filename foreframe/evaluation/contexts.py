"""The clips that a protocol continues: evenly spread over the windows of a set, by number.

A clip's number is its place among all windows of its set, so it keeps its random numbers however
many clips are continued.
"""

from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from foreframe.config.futures import FutureSettings
from foreframe.data.clips import SplitRuns, windows
from foreframe.errors import UserError


@dataclass(frozen=True)
class Continued:
    """Numbers and first frames of the clips, both int64 (n,)."""

    numbers: NDArray[numpy.int64]
    starts: NDArray[numpy.int64]


def choose(runs: SplitRuns, settings: FutureSettings, name: str) -> Continued:
    """Return the clips that the protocol `name` continues.

    Raises:
        UserError: the set has not so many clips of this length.
    """
    frames = settings.frames
    starts = windows(runs.runs(settings.set), frames, settings.stride)
    wanted = len(starts) if settings.clips is None else settings.clips
    if not len(starts) or wanted > len(starts):
        raise UserError(
            f"protocols.{name}.futures.clips is {settings.clips or 'null'}, but the "
            f"{settings.set} set has {len(starts)} clips of {frames} frames (context and "
            "horizon) in a row. Lower clips, stride, context or horizon, or collect more frames."
        )
    numbers = evenly(len(starts), wanted)
    return Continued(numbers, starts[numbers])


def evenly(available: int, wanted: int) -> NDArray[numpy.int64]:
    """Return `wanted` different numbers spread evenly over range(available)."""
    assert wanted <= available
    # The middle of each of `wanted` equal parts.
    return (2 * numpy.arange(wanted) + 1) * available // (2 * wanted)


def describe(settings: FutureSettings) -> str:
    """Return in words how the clips are chosen."""
    return f"evenly spread over the windows of the set, {settings.stride} frames apart"
