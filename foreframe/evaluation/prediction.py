"""Predicted futures against the true ones: for each clip and frame, and as whole sets of clips.

Clips are measured as they come, a few futures at a time, so memory holds numbers and no frames.

Shapes: n clips, S futures of a clip, t given frames, h predicted frames, T both, H rows, W columns,
C = 3 colours.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from foreframe.config.protocols import ProtocolSettings
from foreframe.evaluation.best import best
from foreframe.evaluation.whole_sets import WholeSets
from foreframe.metrics.mean import Mean
from foreframe.metrics.metric import Compare, Found, Metric
from foreframe.metrics.relative import ratio
from foreframe.metrics.resizing import resize


class Scores:
    """The scores of several predictors on the same clips, under the metrics of a protocol."""

    def __init__(self, protocol: ProtocolSettings, metrics: Sequence[Metric]) -> None:
        """Start with no clip seen."""
        self._protocol = protocol
        self.metrics: Mapping[str, Metric] = {metric.name: metric for metric in metrics}
        self._compare: dict[str, Compare] = {
            metric.name: metric.compare for metric in metrics if metric.compare is not None
        }
        self._sets = WholeSets(protocol.measures, metrics)
        self._parts: dict[str, dict[str, list[Tensor]]] = {}
        self._amounts: dict[str, Compare] = {
            metric.name: metric.amounts for metric in metrics if metric.amounts is not None
        }
        self._means: dict[tuple[str, str], Mean] = {}

    @property
    def horizon(self) -> int:
        """How many frames are predicted."""
        return self._protocol.futures.horizon

    @property
    def predictors(self) -> list[str]:
        """The names of the predictors, in the order they were first seen."""
        return list(self._parts)

    @property
    def frame_metrics(self) -> list[str]:
        """The names of the metrics that have a value for each frame."""
        return list(self._compare)

    def update(self, real_THWC: Tensor, futures: Mapping[str, Iterable[Tensor]]) -> None:
        """Add a true clip and, by predictor, its futures: parts (S,h,H,W,C) of them, all uint8.

        Every clip has the same predictors. A part is measured and let go before the next is asked
        for.

        Raises:
            UserError: as `frames.unit_pair` and the metrics.
        """
        context = self._protocol.futures.context
        given, true = real_THWC[:context], real_THWC[context:]
        self._sets.add_true(given, true)
        for predictor, parts in futures.items():
            values: dict[str, list[Tensor]] = {name: [] for name in self._compare}
            seen = 0
            for part_ShHWC in parts:
                self._sets.add(predictor, given, seen, part_ShHWC)
                self._compared(predictor, true, part_ShHWC, values)
                seen += len(part_ShHWC)
            kept = self._parts.setdefault(predictor, {name: [] for name in self._compare})
            for name, found in values.items():
                how, better = self._protocol.measures.best, self.metrics[name].better
                kept[name].append(best(torch.cat(found)[None], how, better))

    def _compared(
        self,
        predictor: str,
        true_hHWC: Tensor,
        part_ShHWC: Tensor,
        values: Mapping[str, list[Tensor]],
    ) -> None:
        true_ShHWC = true_hHWC.expand_as(part_ShHWC).contiguous()
        size = self._protocol.measures.resize
        pair = (resize(true_ShHWC, size), resize(part_ShHWC, size))
        for name, compare in self._compare.items():
            values[name].append(compare(*pair).cpu())
        for name, amounts in self._amounts.items():
            self._means.setdefault((predictor, name), Mean()).update(amounts(*pair))

    def values(self, predictor: str, metric: str) -> Tensor:
        """Return the value of each clip and each predicted frame, float64 (n, h)."""
        return torch.cat(self._parts[predictor][metric])

    def ratio(self, predictor: str, metric: str) -> list[float | None] | None:
        """Return predicted / true of the amounts that a metric compares, by predicted frame.

        Of the means over all futures; None for a metric without amounts. See `relative.ratio`.
        """
        if metric not in self._amounts:
            return None
        return ratio(self._means[predictor, metric].result())

    def of_set(self, predictor: str, metric: str) -> Found:
        """Return what a predictor scores under a metric of whole sets, or why nothing."""
        if (reason := self.metrics[metric].missing) is not None:
            return Found(None, missing=reason)
        return self._sets.result(predictor, metric)
