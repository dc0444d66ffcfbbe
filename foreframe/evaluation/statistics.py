"""How far a number may be trusted: intervals over clips, paired differences, spread over seeds.

An interval answers for the choice of clips, a spread for the luck of training; neither replaces the
other. Clips that overlap, or come from one drive, vary less than independent ones would: an
interval is then too narrow.

Shapes: B clips, R resamples.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

import torch

from foreframe.errors import UserError
from foreframe.metrics import frames
from foreframe.randomness import Position, generator

CONFIDENCE = 0.95
RESAMPLES = 2000
SMALLEST = 8  # clips; fewer say too little about how clips differ
CHUNK = 2**20  # random numbers held at once


@dataclass(frozen=True)
class Interval:
    """A mean over clips and the interval in which the mean over all possible clips may lie."""

    mean: float
    low: float | None  # None below `SMALLEST` clips
    high: float | None
    clips: int
    confidence: float
    resamples: int


@dataclass(frozen=True)
class Spread:
    """Results of several training seeds."""

    mean: float
    std: float | None  # divided by count - 1; None for a single seed
    count: int


def interval(values_B: torch.Tensor, seed: int, *position: Position) -> Interval:
    """Return the mean of one value a clip with its expanded percentile bootstrap interval.

    The percentile bootstrap is too narrow for few clips, and BCa hardly wider; widening the
    percentiles to a' = Phi(sqrt(n / (n - 1)) t_a) keeps its promise on normal values and comes
    closest to it on skewed ones (Hesterberg 2015, "What teachers should know about the bootstrap",
    4.3; the tests measure it). The random numbers are those of `seed` and `position`.

    Raises:
        UserError: no clip, not one value a clip, NaN or infinity.
    """
    values_B = _checked(values_B, "scored")
    count = len(values_B)
    low = high = None
    if count >= SMALLEST:
        means_R = torch.cat(list(_resampled(values_B, seed, *position))).sort().values
        tail = NormalDist().cdf(math.sqrt(count / (count - 1)) * _student(count - 1))
        low, high = (float(means_R.quantile(share)) for share in (tail, 1 - tail))
    return Interval(float(values_B.mean()), low, high, count, CONFIDENCE, RESAMPLES)


def paired(
    first_B: torch.Tensor, second_B: torch.Tensor, seed: int, *position: Position
) -> Interval:
    """Return the interval of the mean of first - second, both scored on the same clips.

    What makes a clip hard for both cancels, so it is narrower than two intervals side by side.

    Raises:
        UserError: as `interval`, or different numbers of clips.
    """
    return interval(_difference(first_B, second_B), seed, *position)


def won(first_B: torch.Tensor, second_B: torch.Tensor, better: frames.Better) -> float:
    """Return the share of clips, in 0..1, on which the first is better; a tie counts half.

    Raises:
        UserError: as `paired`.
    """
    gain_B = _difference(first_B, second_B) * (1 if better == "higher" else -1)
    return float((gain_B > 0).double().mean() + 0.5 * (gain_B == 0).double().mean())


def across_seeds(values: Sequence[float]) -> Spread:
    """Return mean, standard deviation and number of the results of several training seeds.

    Raises:
        UserError: no result, NaN or infinity.
    """
    if not values or not all(map(math.isfinite, values)):
        raise UserError(f"a spread needs finite results of one seed or more, not {list(values)}.")
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def _resampled(values_B: torch.Tensor, seed: int, *position: Position) -> Iterator[torch.Tensor]:
    """Yield the means of resamples, in memory that does not grow with the clips."""
    numbers, count = generator(seed, "bootstrap", *position), len(values_B)
    rows = max(1, CHUNK // count)
    for start in range(0, RESAMPLES, rows):
        shape = (min(rows, RESAMPLES - start), count)
        yield values_B[numbers.integers(0, count, shape)].mean(dim=1)


def _student(freedom: int) -> float:
    """Return the lower quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5).

    Within 0.002 of the true one from 7 degrees of freedom on.
    """
    z = NormalDist().inv_cdf((1 - CONFIDENCE) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))


def _difference(first_B: torch.Tensor, second_B: torch.Tensor) -> torch.Tensor:
    if first_B.shape != second_B.shape:
        raise UserError(
            f"{tuple(first_B.shape)} scores cannot be paired with {tuple(second_B.shape)}: "
            "score both models on the same clips, in the same order."
        )
    return _checked(first_B, "first") - _checked(second_B, "second")


def _checked(values_B: torch.Tensor, name: str) -> torch.Tensor:
    if values_B.ndim != 1 or len(values_B) == 0:
        shape = tuple(values_B.shape)
        raise UserError(f"the {name} values must be one for each clip, at least one, not {shape}.")
    frames.check_floating(values_B, name)
    return values_B.detach().to("cpu", torch.float64)
