"""Predicted futures against the true ones: for each clip and frame, and as whole sets of clips.

Clips are measured as they come, a few futures at a time, so memory holds numbers and no frames.

Shapes: n clips, B clips of a batch, S futures of each clip, t given frames, h predicted frames, T
both, H rows, W columns, C = 3 colours.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from foreframe.config.protocols import ProtocolSettings
from foreframe.metrics.best import best
from foreframe.metrics.catalogue import Compare, Metric
from foreframe.metrics.frechet import REAL
from foreframe.metrics.mean import Mean
from foreframe.metrics.relative import ratio
from foreframe.metrics.resizing import resize
from foreframe.metrics.video_sets import Accumulator, Found


class Scores:
    """The scores of several predictors on the same clips, under the metrics of a protocol."""

    def __init__(self, protocol: ProtocolSettings, metrics: Sequence[Metric], size: int) -> None:
        """Start with no clip seen; `size` futures are measured at once."""
        self._protocol = protocol
        self._size = size
        self.metrics: Mapping[str, Metric] = {metric.name: metric for metric in metrics}
        self._compare: dict[str, Compare] = {
            metric.name: metric.compare for metric in metrics if metric.compare is not None
        }
        self._sets: dict[str, Accumulator] = {
            metric.name: metric.accumulate() for metric in metrics if metric.accumulate is not None
        }
        self._parts: dict[str, dict[str, list[Tensor]]] = {}
        self._amounts: dict[str, Compare] = {
            metric.name: metric.amounts for metric in metrics if metric.amounts is not None
        }
        self._means: dict[tuple[str, str], Mean] = {}

    @property
    def horizon(self) -> int:
        """How many frames are predicted."""
        return self._protocol.horizon

    @property
    def predictors(self) -> list[str]:
        """The names of the predictors, in the order they were first seen."""
        return list(self._parts)

    @property
    def frame_metrics(self) -> list[str]:
        """The names of the metrics that have a value for each frame."""
        return list(self._compare)

    def update(self, real_BTHWC: Tensor, futures: Mapping[str, Tensor]) -> None:
        """Add a batch of true clips and, by predictor, their futures (B,S,h,H,W,C), all uint8.

        Every batch has the same predictors.

        Raises:
            UserError: as `frames.unit_pair` and the metrics.
        """
        context = self._protocol.context
        given, true = real_BTHWC[:, :context], real_BTHWC[:, context:]
        self._add(REAL, given, true)
        for predictor, futures_BShHWC in futures.items():
            self._add(predictor, given, futures_BShHWC[:, 0])
            self._compared(predictor, true, futures_BShHWC)

    def _add(self, name: str, given_BtHWC: Tensor, future_BhHWC: Tensor) -> None:
        seen = future_BhHWC
        if self._protocol.sets_see == "clip":
            seen = torch.cat([given_BtHWC, future_BhHWC], dim=1)
        for accumulator in self._sets.values():
            accumulator.update(name, resize(seen, self._protocol.resize))

    def _compared(self, predictor: str, real_BhHWC: Tensor, futures_BShHWC: Tensor) -> None:
        parts = self._parts.setdefault(predictor, {name: [] for name in self._compare})
        real = real_BhHWC[:, None].expand_as(futures_BShHWC).flatten(end_dim=1)
        values: dict[str, list[Tensor]] = {name: [] for name in self._compare}
        pairs = (real.split(self._size), futures_BShHWC.flatten(end_dim=1).split(self._size))
        for true, future in zip(*pairs, strict=True):
            pair = (resize(true, self._protocol.resize), resize(future, self._protocol.resize))
            for name, compare in self._compare.items():
                values[name].append(compare(*pair).cpu())
            for name, amounts in self._amounts.items():
                self._means.setdefault((predictor, name), Mean()).update(amounts(*pair))
        for name in self._compare:
            values_BSh = torch.cat(values[name]).unflatten(0, futures_BShHWC.shape[:2])
            parts[name].append(best(values_BSh, self._protocol.best, self.metrics[name].better))

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
        """Return what all futures together score under a metric of whole sets, or why nothing."""
        if (reason := self.metrics[metric].missing) is not None:
            return Found(None, missing=reason)
        return self._sets[metric].result(predictor)
