"""Inception score (Salimans et al. 2016) of frames: are they of clear and of many classes?

It never sees a real frame, so that it says little about video of one kind, such as driving.

Shapes: B clips, T frames, N = B T images, H rows, W columns, C = 3 colours, K classes, S splits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.features import inception_v3
from foreframe.features.store import Weights
from foreframe.metrics import catalogue, frames
from foreframe.metrics.fid import Inception
from foreframe.metrics.metric import Accumulator, Found, Metric

SPLITS = 10
NEEDED = ("inception_v3",)  # weights in the store

BETTER: frames.Better = "higher"
UNIT = ""
VARIANT = (
    "exp of the mean KL divergence between p(class | frame) and p(class), Inception-v3 "
    "(TensorFlow, 2015-12-05) with 1,008 classes and logits without bias, frames resized to "
    "299 x 299 (bilinear, align_corners=False); mean over 10 splits, frame i in split i mod 10"
)


@dataclass(frozen=True)
class Score:
    """The inception score.

    Attributes:
        value: mean over the splits, from 1 to 1,008.
        deviation: standard deviation over the splits.
        frames: how many were seen.
    """

    value: float
    deviation: float
    frames: int


class InceptionScore:
    """The score of frames that come in batches, in memory that does not grow."""

    def __init__(self, network: Inception) -> None:
        """Start with nothing seen."""
        self._network = network
        self._count = 0
        self._probabilities_SK = torch.zeros(SPLITS, inception_v3.CLASSES, dtype=torch.float64)
        self._information_S = torch.zeros(SPLITS, dtype=torch.float64)  # sums of p log p
        self._frames_S = torch.zeros(SPLITS, dtype=torch.float64)

    @torch.no_grad()
    def update(self, frames_BTHWC: Tensor) -> None:
        """Add the frames of clips.

        Value range: uint8 0..255 or floating point 0..1 (see `images.unit`).

        Raises:
            UserError: wrong frames.
        """
        logits_NK = self._network.network(self._network.prepared(frames_BTHWC))
        log_NK = logits_NK.cpu().double().log_softmax(dim=1)
        split_N = torch.arange(self._count, self._count + len(log_NK)) % SPLITS
        self._probabilities_SK.index_add_(0, split_N, log_NK.exp())
        self._information_S.index_add_(0, split_N, (log_NK.exp() * log_NK).sum(dim=1))
        self._frames_S += torch.bincount(split_N, minlength=SPLITS)
        self._count += len(log_NK)

    def result(self) -> Score:
        """Return the score so far.

        exp(E[KL(p(y|x) || p(y))]), Salimans et al. 2016, section 4; the divergence is the mean of
        sum p(y|x) log p(y|x) minus sum p(y) log p(y).

        Raises:
            UserError: a split has no frame.
        """
        if self._count < SPLITS:
            raise UserError(
                f"the inception score over {SPLITS} splits needs at least {SPLITS} frames, "
                f"not {self._count}: give more clips."
            )
        marginal_SK = self._probabilities_SK / self._frames_S[:, None]
        entropy_S = -torch.special.entr(marginal_SK).sum(dim=1)
        scores_S = (self._information_S / self._frames_S - entropy_S).exp()
        return Score(float(scores_S.mean()), float(scores_S.std(correction=0)), self._count)


class InceptionSets(Accumulator):
    """The inception score of each set by itself."""

    def __init__(self, network: Inception) -> None:
        """Start with no clip seen."""
        self._network = network
        self._scores: dict[str, InceptionScore] = {}
        self._frames: dict[str, int] = {}

    def update(self, name: str, frames_BTHWC: Tensor) -> None:
        """Add clips; see `Accumulator`."""
        self._scores.setdefault(name, InceptionScore(self._network)).update(frames_BTHWC)
        self._frames[name] = self._frames.get(name, 0) + frames_BTHWC[:, :, 0, 0, 0].numel()

    def result(self, name: str) -> Found:
        """Return the score; with fewer frames than splits there is none."""
        if self._frames[name] < SPLITS:
            return Found(None, missing=f"{SPLITS} splits need as many frames.")
        return Found(self._scores[name].result().value)


def metric(weights: Path, device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    about = Metric("inception_score", VARIANT, BETTER, UNIT)

    def build(found: Sequence[Weights]) -> Metric:
        network = Inception(found[0], device)
        return replace(about, digest=network.digest, accumulate=lambda _: InceptionSets(network))

    return catalogue.learned(about, NEEDED, weights, build)
