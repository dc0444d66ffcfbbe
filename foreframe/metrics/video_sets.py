"""Frechet distances of whole sets of clips: fed in batches, a value or a reason at last.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

from typing import Any

from torch import Tensor

from foreframe.metrics import frechet
from foreframe.metrics.frechet import REAL, FrechetDistance
from foreframe.metrics.metric import Accumulator, Found, Wanted

RESAMPLES = 200  # for an interval
LARGEST = 512  # features; beyond that an interval would take hours
SEED = 0  # of the resampled clips


class FrechetSets(Accumulator):
    """A Frechet distance from the true set, over the features of a network."""

    def __init__(self, extract: Any, wanted: Wanted) -> None:
        """Start with no clip seen; `extract` has its number of features as `size`."""
        self._extract, self._size, self._few = extract, extract.size, wanted.few
        self._interval = wanted.interval and self._size <= LARGEST
        self._distance = FrechetDistance(self._features, keep=self._interval, allow_few=wanted.few)
        self._each = 0  # rows of features of a clip
        self._rows: dict[str, int] = {}

    def _features(self, frames_BTHWC: Tensor) -> Tensor:
        features_BKD: Tensor = self._extract(frames_BTHWC)
        self._each = features_BKD.shape[1]
        return features_BKD

    def update(self, name: str, frames_BTHWC: Tensor) -> None:
        """Add clips; see `Accumulator`."""
        self._distance.update(name, frames_BTHWC)
        self._rows[name] = self._rows.get(name, 0) + len(frames_BTHWC) * self._each

    def result(self, name: str) -> Found:
        """Return the distance; with too few clips for a covariance there is none.

        Where few are allowed, two rows of features are enough, and the distance is marked.
        """
        rows, full = min(self._rows[REAL], self._rows[name]), frechet.needed(self._size)
        least, cure = (frechet.FEWEST, "continue more clips") if self._few else (full, frechet.CURE)
        if rows < least:
            return Found(
                None,
                missing=f"{rows} rows of features are too few for a distance over {self._size} "
                f"features, which needs {least}: {cure}.",
            )
        resamples = RESAMPLES if self._interval else 0
        found = self._distance.result(name, seed=SEED, resamples=resamples)
        return Found(found.value, found.low, found.high, few=rows < full)
