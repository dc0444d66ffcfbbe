"""How often each value of each colour occurs: counted in integers, so nothing is ever rounded.

Suffixes: N frames, H height, W width, C = 3 colours, V = 256 values.
"""

import math
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

VALUES = 256

Counts = NDArray[numpy.int64]


@dataclass(frozen=True)
class Statistics:
    """What the pixels of a set are like, one number for each colour.

    Attributes:
        mean, std: in levels, 0 to 255; the deviation divides by the number of pixels.
        black, white: share of the pixels at 0 and at 255.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    black: tuple[float, ...]
    white: tuple[float, ...]


def counts(frames_NHWC: NDArray[numpy.uint8]) -> Counts:
    """Return how often each value occurs in each colour, int64 (C, V)."""
    channels = (frames_NHWC[..., channel].ravel() for channel in range(frames_NHWC.shape[-1]))
    return numpy.stack([numpy.bincount(channel, minlength=VALUES) for channel in channels])


def means(frames_NHWC: NDArray[numpy.uint8]) -> NDArray[numpy.float64]:
    """Return each frame's mean of each colour, in levels, float64 (N, C), exactly rounded."""
    # Summed over rows first, which is quick, and as integers.
    rows_NWC = frames_NHWC.sum(axis=1, dtype=numpy.int64)
    return rows_NWC.sum(axis=1) / (frames_NHWC.shape[1] * frames_NHWC.shape[2])


def statistics(counts_CV: Counts) -> Statistics:
    """Return the statistics of at least one pixel, exact to the last bit of a float64."""
    channels = [_moments(counts_V.tolist()) for counts_V in counts_CV]
    totals_C = counts_CV.sum(axis=1)
    return Statistics(
        mean=tuple(mean for mean, _ in channels),
        std=tuple(std for _, std in channels),
        black=tuple((counts_CV[:, 0] / totals_C).tolist()),
        white=tuple((counts_CV[:, -1] / totals_C).tolist()),
    )


def _moments(counted: list[int]) -> tuple[float, float]:
    # Python's integers have no largest value, so no sum rounds.
    number = sum(counted)
    total = sum(value * count for value, count in enumerate(counted))
    squares = sum(value * value * count for value, count in enumerate(counted))
    return total / number, math.sqrt((number * squares - total * total) / (number * number))
