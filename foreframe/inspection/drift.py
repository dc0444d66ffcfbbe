"""How far the colours of one set are from those of another, and how far that is usual.

Two measures of two histograms p and q of a colour's values, with F and G their running sums:
earth mover's distance sum_v |F_v - G_v|, in levels, says how far brightness would have to be moved;
Jensen-Shannon divergence H((p + q) / 2) - (H(p) + H(q)) / 2, in bits, 0 to 1, says how well one
pixel tells the sets apart. The yardstick: stretches of the training set, in the order of time and
about as long as the other sets (shorter where FEWEST of that length would not fit), each against
the rest of the training set.
Suffixes: C = 3 colours, V = 256 values, S stretches.
"""

from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

Counts = NDArray[numpy.int64]
Numbers = NDArray[numpy.float64]

FEWEST, MOST = 4, 64  # stretches


@dataclass(frozen=True)
class Distance:
    """How far two sets of frames are apart: float64 (C,) each, in levels and in bits."""

    earth_mover: Numbers
    jensen_shannon: Numbers


def stretch_count(train: int, others: float) -> int:
    """Return into how many stretches the training set is cut, for sets of so many frames."""
    return min(max(round(train / others), FEWEST), MOST, train)


def distance(first_CV: Counts, second_CV: Counts) -> Distance:
    """Return the distance of two histograms of at least one pixel each; their order is free."""
    first, second = _shares(first_CV), _shares(second_CV)
    earth_mover = numpy.abs(first.cumsum(axis=1) - second.cumsum(axis=1)).sum(axis=1)
    mixed = _entropy((first + second) / 2) - (_entropy(first) + _entropy(second)) / 2
    # Rounding may leave a little less than nothing.
    return Distance(earth_mover, numpy.maximum(mixed, 0.0))


def among(stretches_SCV: Counts) -> list[Distance]:
    """Return how far each stretch is from all others together."""
    total_CV = stretches_SCV.sum(axis=0)
    return [distance(part_CV, total_CV - part_CV) for part_CV in stretches_SCV]


def _shares(counts_CV: Counts) -> Numbers:
    return counts_CV / counts_CV.sum(axis=1, keepdims=True)


def _entropy(shares_CV: Numbers) -> Numbers:
    bits_CV = numpy.log2(shares_CV, out=numpy.zeros_like(shares_CV), where=shares_CV > 0)
    return -(shares_CV * bits_CV).sum(axis=1)
