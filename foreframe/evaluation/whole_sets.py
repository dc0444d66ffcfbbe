"""Whole sets of clips: a distance from the true clips for the first future of each, the second ...

Each future is seen once and let go; what is kept are moments of features, apart for each number.

Shapes: S futures of a clip, t given frames, h predicted frames, H rows, W columns, C = 3 colours.
"""

from collections.abc import Sequence
from statistics import mean, stdev

import torch
from torch import Tensor

from foreframe.config.protocols import MeasureSettings
from foreframe.metrics.frechet import REAL
from foreframe.metrics.metric import Accumulator, Found, Metric, Wanted
from foreframe.metrics.resizing import resize


class WholeSets:
    """What predictors score under the metrics of whole sets, with one future of each clip."""

    def __init__(self, measures: MeasureSettings, metrics: Sequence[Metric]) -> None:
        """Start with no clip seen; metrics that score single frames are left out."""
        self._measures = measures
        wanted = Wanted(few=measures.sets.few == "allow", interval=measures.sets.repeats == 1)
        self._metrics: dict[str, Accumulator] = {
            metric.name: metric.accumulate(wanted)
            for metric in metrics
            if metric.accumulate is not None
        }
        self._repeats: dict[str, int] = {}

    def add_true(self, given_tHWC: Tensor, true_hHWC: Tensor) -> None:
        """Add a true clip to the set that all others are compared with, uint8.

        Raises:
            UserError: as the metrics.
        """
        self._add(REAL, given_tHWC, true_hHWC)

    def add(self, predictor: str, given_tHWC: Tensor, first: int, part_ShHWC: Tensor) -> None:
        """Add futures of a clip, uint8, of which the first one has the number `first`, from 0.

        Those beyond the protocol's repeats are not looked at.

        Raises:
            UserError: as the metrics.
        """
        wanted = max(0, self._measures.sets.repeats - first)
        for number, future_hHWC in enumerate(part_ShHWC[:wanted], start=first):
            self._repeats[predictor] = max(self._repeats.get(predictor, 0), number + 1)
            self._add(_name(predictor, number), given_tHWC, future_hHWC)

    def _add(self, name: str, given_tHWC: Tensor, future_hHWC: Tensor) -> None:
        seen = future_hHWC
        if self._measures.sets.see == "clip":
            seen = torch.cat([given_tHWC, future_hHWC])
        for accumulator in self._metrics.values():
            accumulator.update(name, resize(seen[None], self._measures.resize))

    def result(self, predictor: str, metric: str) -> Found:
        """Return what a predictor scores: the mean over its repeats, where there are several.

        One that has a single future of each clip, as it draws nothing, has no repeats.
        """
        numbers = range(self._repeats[predictor])
        found = [self._metrics[metric].result(_name(predictor, number)) for number in numbers]
        values = [each.value for each in found if each.value is not None]
        if len(values) < 2:
            return found[0]
        return Found(
            mean(values),
            std=stdev(values),
            repeats=len(values),
            few=any(each.few for each in found),
        )


def _name(predictor: str, number: int) -> str:
    """Return what the set of all futures of a number is called."""
    return predictor if number == 0 else f"{predictor}, future {number + 1}"
