"""Bits per dimension of clips, with the kind of number they are: a bound is not a likelihood.

Dimensions are the 8-bit values of a clip: frames x rows x columns x colours. A density of values
that were dequantised (uniform noise added) and rescaled becomes a probability of 8-bit values by
the width that one grey level has in the model's units (Theis, van den Oord, Bethge 2016, 3.1):
-log P(x) <= E[-log p(y)] - D log(width), so what a density gives is a bound of its own.

Shapes: B clips, K samples of the latent variables for each.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from foreframe.errors import UserError
from foreframe.metrics import frames
from foreframe.metrics.nll import bits

Kind = Literal["exact", "elbo", "importance_weighted"]
VARIANT = (
    "-log2 P(clip) / (frames x rows x columns x colours), mean over clips; kind and samples stand "
    "beside the number"
)
BETTER: frames.Better = "lower"
UNIT = "bits"


@dataclass(frozen=True)
class Likelihood:
    """Bits per dimension, the mean over clips, comparable with its own kind alone.

    Attributes:
        bits: for each 8-bit value of a clip.
        kind: `exact`, or an upper bound on the exact bits: `elbo`, or the tighter
            `importance_weighted`.
        samples: of the latent variables for each clip; 0 for `exact`.
    """

    bits: float
    kind: Kind
    samples: int

    def difference(self, other: "Likelihood") -> float:
        """Return these bits less the other's: below 0 if this model is the better one.

        Raises:
            UserError: the kinds differ, or importance-weighted bounds of different tightness.
        """
        ours, theirs = self._comparable(), other._comparable()
        if ours != theirs:
            raise UserError(
                f"bits per dimension of the kinds {ours} and {theirs} cannot be compared: "
                "a bound and a likelihood differ by an unknown gap. Compute both in one way."
            )
        return self.bits - other.bits

    def _comparable(self) -> str:
        # More samples estimate the same ELBO, but each K of importance weighting is a bound of its
        # own.
        return f"{self.kind} {self.samples}" if self.kind == "importance_weighted" else self.kind


def likelihood(bits_B: torch.Tensor, kind: Kind, samples: int) -> Likelihood:
    """Return the mean over clips of `clip_bits`, under its kind.

    Raises:
        UserError: no clip, NaN or infinity, a mean below 0, or a number of samples that the kind
            does not have.
    """
    if (kind == "exact") != (samples == 0) or samples < 0:
        raise UserError(
            f"{samples} samples do not fit the kind {kind}: give 0 for exact, 1 or more else."
        )
    if bits_B.ndim != 1 or len(bits_B) == 0:
        raise UserError(f"give the bits of one clip or more, not {tuple(bits_B.shape)}.")
    frames.check_floating(bits_B, "given")
    mean = float(bits_B.double().mean())
    if mean < 0:
        raise UserError(
            f"{mean:g} bits per dimension: 8-bit values cannot have a probability above 1. "
            "Give the width of one grey level in the units that the density is of."
        )
    return Likelihood(mean, kind, samples)


def clip_bits(nats_B: torch.Tensor, dimensions: int, grey_level: float) -> torch.Tensor:
    """Return the bits per dimension of each clip, float64 (B,).

    (nats - D ln(width)) / (D ln 2), where D is `dimensions`.

    Args:
        nats_B: -log p of each clip, summed over its values; a probability or a density.
        dimensions: D, frames x rows x columns x colours of a clip.
        grey_level: width of one grey level in the density's units: 1/256 for values in [0, 1), and
            the geometric mean where colours differ; 1 for a probability of 8-bit values.

    Raises:
        UserError: NaN or infinity, no dimension, or a width that is not above 0.
    """
    frames.check_floating(nats_B, "given")
    if dimensions < 1 or not 0 < grey_level < math.inf:
        raise UserError(
            f"{dimensions} dimensions and a grey level of {grey_level} define no bits: both must "
            "be above 0."
        )
    return nats_B.double() / (dimensions * math.log(2)) - bits(math.log(grey_level))


def importance_weighted_nats(log_weights_KB: torch.Tensor) -> torch.Tensor:
    """Return -log((1/K) sum_k w_k) of each clip, float64 (B,): an upper bound on -log p(x).

    w_k = p(x, z_k) / q(z_k | x) with z_k drawn from q (Burda, Grosse, Salakhutdinov 2016, eq. 8);
    K = 1 is the ELBO. The bound falls with K in expectation, towards -log p(x).

    Raises:
        UserError: not (samples, clips), none of either, NaN or infinity.
    """
    if log_weights_KB.ndim != 2 or log_weights_KB.numel() == 0:
        shape = tuple(log_weights_KB.shape)
        raise UserError(f"log weights must be (samples, clips), at least one each, not {shape}.")
    frames.check_floating(log_weights_KB, "given")
    return math.log(len(log_weights_KB)) - log_weights_KB.double().logsumexp(dim=0)
