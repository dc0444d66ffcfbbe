"""Predicted futures against the true ones, frame by frame; means over clips, in constant memory.

Shapes: B clips, T frames of the horizon, H rows, W columns, C = 3 colours.
"""

from collections.abc import Callable, Mapping

import pandas
import torch

from foreframe.metrics.mean import Mean
from foreframe.metrics.mse import mse
from foreframe.metrics.psnr import psnr
from foreframe.metrics.ssim import ssim

Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
METRICS: Mapping[str, Metric] = {"psnr": psnr, "ssim": ssim, "mse": mse}


class FrameScores:
    """The scores of several predictors on the same clips, each frame of the horizon apart."""

    def __init__(self) -> None:
        """Start with no clip seen."""
        self._means: dict[tuple[str, str], Mean] = {}

    def update(self, predictor: str, real_BTHWC: torch.Tensor, sample_BTHWC: torch.Tensor) -> None:
        """Add the true futures of a batch and what `predictor` made of their contexts.

        Raises:
            UserError: as `frames.unit_pair`.
        """
        for name, metric in METRICS.items():
            mean = self._means.setdefault((predictor, name), Mean())
            mean.update(metric(real_BTHWC, sample_BTHWC))

    def table(self) -> pandas.DataFrame:
        """Return the columns predictor, frame (1..T), psnr (dB), ssim and mse ([0, 1] units)."""
        predictors = dict.fromkeys(predictor for predictor, _ in self._means)
        return pandas.concat([self._rows(name) for name in predictors], ignore_index=True)

    def _rows(self, predictor: str) -> pandas.DataFrame:
        columns = {name: self._means[predictor, name].result().numpy() for name in METRICS}
        rows = pandas.DataFrame(columns)
        rows.insert(0, "frame", range(1, len(rows) + 1))
        rows.insert(0, "predictor", predictor)
        return rows
