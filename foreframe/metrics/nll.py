"""Negative log-likelihood of codes, in nats for each code, and what it is in other units.

Shapes: B clips, T code-frames, H rows, W columns of a level's code grid.
"""

import math

import torch

from foreframe.errors import UserError
from foreframe.metrics.mean import Mean

VARIANT = "mean of -log p(true code | earlier true codes, true upper level) over codes, in nats"
# A log-softmax may round to just above 0; nothing above this is a rounding error.
ROUNDING = 1e-5
# A diverged prior can reach 1e10 nats (Xu 2022, Fig. 5.5); its perplexity stays a finite number.
LARGEST_EXPONENT = 700.0


class NegativeLogLikelihood:
    """The mean over clips of -log p at every position of the code grid, in constant memory.

    Every clip of a level has the same grid, so the mean over positions of the means is the mean
    over all codes (Xu 2022, Tables 6.2 and 6.3).
    """

    def __init__(self) -> None:
        """Start with no clip seen."""
        self._mean = Mean()

    def update(self, log_prob_BTHW: torch.Tensor) -> None:
        """Add the log-probabilities of the true codes of a batch of clips, in nats (<= 0).

        Raises:
            UserError: NaN, infinity, or a probability above 1.
        """
        if not bool(torch.isfinite(log_prob_BTHW).all()):
            raise UserError(
                "a prior gives a log-probability that is NaN or infinite: its training diverged. "
                "Lower its learning_rate or set gradient_clip."
            )
        if float(log_prob_BTHW.max()) > ROUNDING:
            raise UserError(
                f"a log-probability is {float(log_prob_BTHW.max()):g}, above 0: "
                "give log-probabilities of codes, not densities."
            )
        self._mean.update(-log_prob_BTHW)

    def per_position(self) -> torch.Tensor:
        """Return the mean over clips at every position, float64 (T, H, W), in nats."""
        return self._mean.result()

    def nats(self) -> float:
        """Return the mean over clips and positions, in nats for each code."""
        return self._mean.scalar()


def bits(nats: float) -> float:
    """Return nats as bits: divided by ln 2."""
    return nats / math.log(2)


def perplexity(nats: float) -> float:
    """Return e^nats: among how many equally likely codes the model hesitates; at most e^700."""
    return math.exp(min(nats, LARGEST_EXPONENT))


def chance(codebook_size: int) -> float:
    """Return ln K, the nats for each code of a model that knows nothing."""
    return math.log(codebook_size)
