"""How much moves from frame to frame: the mean absolute difference to the frame before, in levels.

Suffixes: N frames, H height, W width, C = 3 colours.
"""

import math
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

Frames = NDArray[numpy.uint8]
Motion = NDArray[numpy.float64]

STILL = 0.5  # levels; what rounding to 8 bits could hide
# Bins of the distribution: all below 1/16 of a level, then four to an octave.
EDGES = numpy.concatenate([[0.0], 2.0 ** numpy.arange(-4, 8.25, 0.25)])


@dataclass(frozen=True)
class Summary:
    """The motion of a set.

    Attributes:
        steps: from one frame to the next within a run.
        mean, low, median, high: in levels; low and high are the 5th and 95th percentile.
        repeated: steps in which no pixel changes.
        still: steps below STILL levels, the repeated ones among them.
    """

    steps: int
    mean: float
    low: float
    median: float
    high: float
    repeated: int
    still: int


def steps(frames_NHWC: Frames, before_HWC: Frames | None) -> Motion:
    """Return each frame's mean absolute difference to the one before, float64 (N,), in levels.

    The first frame's is NaN where `before_HWC` is None.
    """
    steps_N = numpy.full(len(frames_NHWC), numpy.nan)
    if before_HWC is not None:
        steps_N[0] = _differences(frames_NHWC[:1], before_HWC[None])[0]
    if len(frames_NHWC) > 1:
        steps_N[1:] = _differences(frames_NHWC[1:], frames_NHWC[:-1])
    return steps_N


def _differences(first_NHWC: Frames, second_NHWC: Frames) -> Motion:
    # Without leaving 8 bits, and summed as integers: exact whatever the order.
    distance_NHWC = numpy.maximum(first_NHWC, second_NHWC) - numpy.minimum(first_NHWC, second_NHWC)
    total_N = distance_NHWC.reshape(len(first_NHWC), -1).sum(axis=1, dtype=numpy.int64)
    return total_N / math.prod(first_NHWC.shape[1:])


def summary(steps_N: Motion) -> Summary | None:
    """Return the summary of steps in levels; NaN, where no frame comes before, is left out.

    None where nothing is left, as in sets of single images.
    """
    steps_S = steps_N[~numpy.isnan(steps_N)]
    if not len(steps_S):
        return None
    low, median, high = numpy.quantile(steps_S, (0.05, 0.5, 0.95)).tolist()
    return Summary(
        steps=len(steps_S),
        mean=math.fsum(steps_S) / len(steps_S),
        low=low,
        median=median,
        high=high,
        repeated=int((steps_S == 0).sum()),
        still=int((steps_S < STILL).sum()),
    )


def distribution(steps_N: Motion) -> NDArray[numpy.int64]:
    """Return how many steps lie in each bin between EDGES, int64; NaN is left out."""
    return numpy.histogram(steps_N[~numpy.isnan(steps_N)], EDGES)[0].astype(numpy.int64)
