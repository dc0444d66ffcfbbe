"""The Frechet distance between two sets of features, as if each were Gaussian; float64 throughout.

By symmetric eigenvalues alone: the usual matrix square root of a product that is not symmetric
returns complex, hugely wrong or negative numbers where a covariance is nearly singular.

Shapes: N rows of features, D features; B clips, K rows of features for each clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from foreframe import randomness
from foreframe.errors import UserError
from foreframe.metrics import frames
from foreframe.roots import root

REAL = "real"  # the name of the set that the others are compared with
BETTER: frames.Better = "lower"
COVERAGE = 0.95  # of the interval
FEWEST = 2  # rows: of fewer there is no covariance at all
CURE = "continue more clips, or set measures.sets.few of the protocol to allow"  # where too few
VARIANT = (
    "|m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2), means and unbiased covariances in "
    "float64, the trace by singular values of S1^1/2 S2^1/2"
)


class Moments:
    """Mean and covariance of rows that come in batches, in memory that does not grow.

    Batches and their order change the result by rounding alone: deviations are taken from means
    (Chan, Golub, LeVeque 1979, eq. 2.1), so that no large squares cancel.

    Attributes:
        count: the number of rows seen.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.count = 0
        self._mean_D = torch.zeros(0, dtype=torch.float64)
        self._scatter_DD = torch.zeros(0, 0, dtype=torch.float64)

    def update(self, features_ND: Tensor) -> None:
        """Add rows of finite features; they are moved to the CPU.

        Raises:
            UserError: not (N, D) with the D of earlier batches, or NaN or infinity.
        """
        if features_ND.ndim != 2 or not features_ND.numel():
            raise UserError(f"features must be (rows, features), not {tuple(features_ND.shape)}.")
        frames.check_floating(features_ND, "feature")
        rows_ND = features_ND.detach().to("cpu", torch.float64)
        mean_D = rows_ND.mean(dim=0)
        deviations_ND = rows_ND - mean_D
        self._add(len(rows_ND), mean_D, deviations_ND.T @ deviations_ND)

    def merge(self, other: Moments) -> None:
        """Add the rows that another one has seen.

        Raises:
            UserError: they have another number of features.
        """
        if other.count:
            self._add(other.count, other._mean_D, other._scatter_DD)

    def _add(self, count: int, mean_D: Tensor, scatter_DD: Tensor) -> None:
        if not self.count:
            self.count, self._mean_D, self._scatter_DD = count, mean_D, scatter_DD
            return
        if mean_D.shape != self._mean_D.shape:
            raise UserError(
                f"rows of {len(mean_D)} features follow rows of {len(self._mean_D)}: "
                "one set needs one feature network."
            )
        total = self.count + count
        step_D = mean_D - self._mean_D
        self._scatter_DD = (
            self._scatter_DD
            + scatter_DD
            + torch.outer(step_D, step_D) * (self.count * count / total)
        )
        self._mean_D = self._mean_D + step_D * (count / total)
        self.count = total

    def mean(self) -> Tensor:
        """Return the mean, float64 (D,).

        Raises:
            UserError: no row was seen.
        """
        if not self.count:
            raise UserError("the mean of no features is not defined: give at least one clip.")
        return self._mean_D

    def covariance(self) -> Tensor:
        """Return the unbiased covariance, float64 (D, D), symmetric.

        Raises:
            UserError: fewer than two rows were seen.
        """
        if self.count < FEWEST:
            raise UserError(
                f"a covariance needs at least {FEWEST} rows of features: give more clips."
            )
        return (self._scatter_DD + self._scatter_DD.T) / (2 * (self.count - 1))


def distance(first: Moments, second: Moments) -> float:
    """Return the Frechet distance between two Gaussians (Dowson and Landau 1982, eq. 4), >= 0.

    |m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1^1/2 S2 S1^1/2)^1/2), in squared units of the features.
    0 for equal sets, up to 1e-9 of tr(S1) + tr(S2); the order of the two matters by rounding alone.

    Raises:
        UserError: fewer than two rows, or unequal numbers of features.
    """
    if first.mean().shape != second.mean().shape:
        raise UserError(
            f"sets of {len(first.mean())} and {len(second.mean())} features cannot be compared: "
            "use one feature network."
        )
    shift = float((first.mean() - second.mean()).square().sum())
    covariances = (first.covariance(), second.covariance())
    traces = sum(float(covariance_DD.trace()) for covariance_DD in covariances)
    roots = [_root(covariance_DD) for covariance_DD in covariances]
    # The eigenvalues of (S1^1/2 S2 S1^1/2)^1/2 are the singular values of S1^1/2 S2^1/2. These keep
    # twice the digits: the square root of a rounding error of 1e-16 would be 1e-8.
    cross = float(torch.linalg.svdvals(roots[0] @ roots[1]).sum())
    return max(0.0, shift + traces - 2 * cross)


def _root(covariance_DD: Tensor) -> Tensor:
    """Return the symmetric square root; eigenvalues below 0, which rounding makes, count as 0."""
    values_D, vectors_DD = torch.linalg.eigh(covariance_DD)
    return (vectors_DD * root(values_D.clamp(min=0))) @ vectors_DD.T


def needed(features: int) -> int:
    """Return the fewest rows for which a covariance of that many features can have full rank."""
    return features + 1


@dataclass(frozen=True)
class Frechet:
    """A distance with what is needed to judge it.

    Attributes:
        value: the distance, in squared units of the features; it falls as the sets grow.
        real: rows of features of the real set.
        predicted: rows of features of the other set.
        features: D; with at most D rows in a set the covariance is not of full rank.
        low: lower end of the interval that 95 % of sets of this size fall in, or None.
        high: its upper end, or None.
    """

    value: float
    real: int
    predicted: int
    features: int
    low: float | None = None
    high: float | None = None


class FrechetDistance:
    """Frechet distances of several sets from the real one, fed in batches of clips.

    Memory grows by K D float32 numbers for each clip, so that clips can be drawn anew; with
    `keep=False` it does not grow and there is no interval.
    """

    def __init__(
        self, extract: Callable[[Tensor], Tensor], *, keep: bool, allow_few: bool = False
    ) -> None:
        """Measure what `extract` sees: frames (B, T, H, W, 3) in, features (B, K, D) out.

        `allow_few` computes distances even where a set has too few rows for a covariance of full
        rank; such a number must not stand in a table without saying so.
        """
        self._extract = extract
        self._allow_few = allow_few
        self._keep = keep
        self._moments: dict[str, Moments] = {}
        self._features: dict[str, list[Tensor]] = {}

    def update(self, name: str, frames_BTHWC: Tensor) -> None:
        """Add clips to the set `name`; that of true clips is called `REAL`.

        Value range: as `extract` takes them: uint8 0..255 or floating point 0..1.

        Raises:
            UserError: frames that the network cannot take, or features that are not finite.
        """
        features_BKD = self._extract(frames_BTHWC).detach().cpu()
        self._moments.setdefault(name, Moments()).update(features_BKD.flatten(end_dim=1))
        if self._keep:
            self._features.setdefault(name, []).append(features_BKD.float())

    def result(self, name: str, *, seed: int = 0, resamples: int = 0) -> Frechet:
        """Return the distance of the set `name` from the real one.

        With `resamples` > 0 it comes with an interval; see `interval`.

        Raises:
            UserError: a set is missing, or has too few clips (unless `allow_few`).
        """
        real, predicted = self._set(REAL), self._set(name)
        value = distance(real, predicted)
        facts = (value, real.count, predicted.count, len(real.mean()))
        if not resamples:
            return Frechet(*facts)
        if not self._keep:
            raise UserError("an interval needs the features of all clips: keep them.")
        both = [torch.cat(self._features[which]) for which in (REAL, name)]
        return Frechet(*facts, *interval(value, both[0], both[1], seed=seed, resamples=resamples))

    def _set(self, name: str) -> Moments:
        if name not in self._moments:
            raise UserError(f"no clip of the set {name} was given: add some before the result.")
        moments = self._moments[name]
        need = needed(len(moments.mean()))
        if moments.count < need and not self._allow_few:
            raise UserError(
                f"the set {name} gives {moments.count} rows of features, and a Frechet distance "
                f"over {need - 1} features needs at least {need}: {CURE}."
            )
        return moments


def interval(
    value: float, real_BKD: Tensor, predicted_BKD: Tensor, *, seed: int, resamples: int
) -> tuple[float, float]:
    """Return where 95 % of distances between sets of these sizes fall, by the bootstrap over clips.

    Clips are drawn anew with replacement, in both sets alike where they are equally many (clip i of
    both is then of one origin). A drawn set holds clips twice, which adds a bias of its own: the
    quantiles are moved so that the mean of the drawn distances is `value`. The bias that `value`
    has because the sets are finite is not part of it.

    Shapes: real_BKD and predicted_BKD are features, any floating point.
    """
    paired = len(real_BKD) == len(predicted_BKD)
    distances = torch.empty(resamples, dtype=torch.float64)
    for draw in range(resamples):
        first = _drawn(real_BKD, seed, "real", draw)
        second = _drawn(predicted_BKD, seed, "real" if paired else "predicted", draw)
        distances[draw] = distance(first, second)
    tail = (1 - COVERAGE) / 2
    ends = torch.quantile(distances, torch.tensor([tail, 1 - tail], dtype=torch.float64))
    low, high = (ends + value - distances.mean()).clamp(min=0).tolist()
    return low, high


def _drawn(features_BKD: Tensor, seed: int, which: str, draw: int) -> Moments:
    """Return the moments of as many clips drawn with replacement."""
    numbers, count = randomness.generator(seed, "frechet", which, draw), len(features_BKD)
    chosen = numbers.integers(0, count, (count,))
    moments = Moments()
    moments.update(features_BKD[chosen].flatten(end_dim=1))
    return moments
