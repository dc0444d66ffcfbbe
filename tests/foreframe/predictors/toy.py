"""Small learned predictors whose likelihood is known in closed form.

Each pixel and colour has a distribution of its own, learned by counting; what is given counts for
nothing, so clips can be generated. `Mixture` has several such tables, one for all frames of a clip:
which one is latent.

Shapes: N clips, B futures, h frames, H rows, W columns, C = 3 colours, V = 256 values, Z tables, K
samples.
"""

from typing import ClassVar

import torch
from torch import Tensor

from foreframe.config.sampling import Options
from foreframe.predictors import Context, LikelihoodKind, LogWeights, Prediction, Predictor
from foreframe.randomness import Draws


class Heat(Options):
    """Divides log-probabilities before a value is drawn."""

    temperature: float

    @property
    def random(self) -> bool:
        return True


def learned(frames_NHWC: Tensor, count: float = 1e-3) -> Tensor:
    """Return log-probabilities of each value, (H,W,C,V), from counts over frames."""
    one_hot = torch.nn.functional.one_hot(frames_NHWC.long(), 256).double().sum(dim=0)
    return torch.log((one_hot + count) / (len(frames_NHWC) + 256 * count))


def log_prob(table_HWCV: Tensor, clips_NhHWC: Tensor) -> Tensor:
    """Return log p of whole clips under one table, (N,)."""
    table = table_HWCV.expand(*clips_NhHWC.shape[:2], -1, -1, -1, -1)
    return table.gather(-1, clips_NhHWC.long()[..., None]).flatten(1).sum(dim=1)


def drawn(logits: Tensor, horizon: int, draws: Draws) -> Prediction:
    """Return frames of values drawn independently, from (H,W,C,V) or, for each future, (B,...)."""
    noise = [draws.gumbel("pixels", (step,), logits.shape[-4:]) for step in range(horizon)]
    frames = torch.stack([(logits + each).argmax(dim=-1) for each in noise], dim=1)
    return Prediction(frames.to(torch.uint8))


class Histogram(Predictor):
    """One table for all clips: its likelihood is exact."""

    options = Heat
    generates = True
    likelihood_kind: ClassVar[LikelihoodKind] = "exact"

    def __init__(self, table_HWCV: Tensor) -> None:
        self.table_HWCV = table_HWCV

    def _predict(self, context: Context, horizon: int, options: Heat, draws: Draws) -> Prediction:
        return drawn(self.table_HWCV / options.temperature, horizon, draws)

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        found = log_prob(self.table_HWCV, future_NhHWC)
        return LogWeights(found[None], future_NhHWC[0].numel(), 1.0)


class Mixture(Predictor):
    """Several tables of equal probability; which one is drawn from nothing but its prior."""

    generates = True
    likelihood_kind = "elbo"

    def __init__(self, tables: list[Tensor]) -> None:
        self.tables = tables

    def _predict(
        self, context: Context, horizon: int, options: Options, draws: Draws
    ) -> Prediction:
        which_B = draws.gumbel("table", (), (len(self.tables),)).argmax(dim=1)
        return drawn(torch.stack(self.tables)[which_B], horizon, draws)

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        count = len(draws) // len(future_NhHWC)
        which = draws.gumbel("which", (), (len(self.tables),)).argmax(dim=1)
        each_ZN = torch.stack([log_prob(table, future_NhHWC) for table in self.tables])
        which_NK = which.unflatten(0, (-1, count))
        return LogWeights(each_ZN.gather(0, which_NK.T), future_NhHWC[0].numel(), 1.0)
