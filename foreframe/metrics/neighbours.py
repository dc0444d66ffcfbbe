"""Precision and recall of sets of pictures by nearest neighbours (Kynkaanniemi et al. 2019).

Around each feature of a set lies a ball up to its k-th nearest neighbour in the set; the balls
together stand for where the set lies. Precision is the share of predicted frames in the balls of
true ones, recall the share of true frames in the balls of predicted ones.

Shapes: N rows of one set, M of the other, D features.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from foreframe.features.store import Weights
from foreframe.metrics import catalogue
from foreframe.metrics.fid import NEEDED, FidFeatures
from foreframe.metrics.frechet import REAL
from foreframe.metrics.metric import Accumulator, Found, Metric
from foreframe.metrics.stills import NETWORK, StillFeatures

K = 3  # as in the paper
CHUNK = 1 << 10  # rows compared at once
Which = Literal["precision", "recall"]


class NeighbourSets(Accumulator):
    """Precision or recall of each set; keeps the features of all frames."""

    def __init__(self, extract: Any, which: Which) -> None:
        """Start with no clip seen."""
        self._extract, self._which = extract, which
        self._features: dict[str, list[Tensor]] = {}

    def update(self, name: str, frames_BTHWC: Tensor) -> None:
        """Add clips; see `Accumulator`."""
        rows_ND = self._extract(frames_BTHWC).flatten(0, 1).cpu().double()
        self._features.setdefault(name, []).append(rows_ND)

    def result(self, name: str) -> Found:
        """Return the share; sets of no more than k frames have no balls."""
        real, made = (torch.cat(self._features[each]) for each in (REAL, name))
        if min(len(real), len(made)) <= K:
            return Found(None, missing=f"balls up to the neighbour {K} need {K + 1} frames.")
        balls, points = (real, made) if self._which == "precision" else (made, real)
        return Found(inside(points, balls))


def inside(points_ND: Tensor, balls_MD: Tensor) -> float:
    """Return the share of points that lie in a ball of the other set, its surface included."""
    radius_M = radii(balls_MD)
    found = [
        (distances(part_nD, balls_MD) <= radius_M).any(dim=1) for part_nD in points_ND.split(CHUNK)
    ]
    return torch.cat(found).double().mean().item()


def radii(balls_MD: Tensor) -> Tensor:
    """Return the distance of each row to its k-th nearest other row (M,)."""
    # The nearest of all is the row itself, at distance 0.
    found = [
        distances(part_mD, balls_MD).kthvalue(K + 1, dim=1).values
        for part_mD in balls_MD.split(CHUNK)
    ]
    return torch.cat(found)


def distances(one_ND: Tensor, other_MD: Tensor) -> Tensor:
    """Return Euclidean distances (N,M), by differences: between equal rows it is exactly 0."""
    return torch.cdist(one_ND, other_MD, compute_mode="donot_use_mm_for_euclid_dist")


def over_stills(which: Which, device: torch.device) -> Metric:
    """Return the metric over the features of the random network, under a name that says so."""
    features = StillFeatures(device)
    about = Metric(f"random_{which}", f"{_said(which)} over {NETWORK}", "higher", "")
    return replace(
        about, digest=features.digest, accumulate=lambda _: NeighbourSets(features, which)
    )


def over_inception(which: Which, weights: Path, device: torch.device) -> Metric:
    """Return the metric over the features of FID, or why it cannot be computed."""
    about = Metric(which, f"{_said(which)} over the features of fid", "higher", "")

    def build(found: Sequence[Weights]) -> Metric:
        features = FidFeatures(found[0], device)
        return replace(
            about, digest=features.digest, accumulate=lambda _: NeighbourSets(features, which)
        )

    return catalogue.learned(about, NEEDED, weights, build)


def _said(which: Which) -> str:
    return f"{which} by balls up to the neighbour {K},"
