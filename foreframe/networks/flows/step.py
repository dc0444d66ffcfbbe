"""A step of flow: ActNorm, 1x1 convolution, coupling (Kingma and Dhariwal 2018).

The first two are affine, so a step is computed as one 1x1 convolution v = A x + a followed by the
coupling, with A = W diag(s) and a = A b. A and its inverse are worked out in float64.

Shapes: K steps, B rows, C channels, H rows and W columns of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.flows.actnorm import ActNorm
from foreframe.networks.flows.coupling import Coupling
from foreframe.networks.flows.permutation import Factors, InvertibleConvolution


class Step(nn.Module):
    """What a step learns."""

    def __init__(self, channels: int, hidden: int, condition: int) -> None:
        super().__init__()
        self.norm = ActNorm(channels)
        self.permutation = InvertibleConvolution(channels)
        self.coupling = Coupling(channels, hidden, condition)


@dataclass(frozen=True)
class Affine:
    """The maps A x + a of K steps.

    Attributes:
        weight: A (K,C,C).
        bias: a (K,C).
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "Affine":
        """Return what ActNorm and 1x1 convolution of each step do together."""
        log_scale_KC, bias_KC = _normalizations(steps)
        weight_KCC = Factors.of([step.permutation for step in steps]).product()
        weight_KCC = weight_KCC * log_scale_KC.exp()[:, None]
        return cls(*_like(steps, weight_KCC, _product(weight_KCC, bias_KC)))

    @classmethod
    def inverse_of(cls, steps: Sequence[Step]) -> "Affine":
        """Return the inverses of these maps."""
        log_scale_KC, bias_KC = _normalizations(steps)
        weight_KCC = Factors.of([step.permutation for step in steps]).inverse()
        return cls(*_like(steps, weight_KCC * (-log_scale_KC).exp()[:, :, None], -bias_KC))


def log_determinant(steps: Sequence[Step]) -> Tensor:
    """Return log|det A|, a scalar: the sum over steps, of one place of a picture."""
    norms = torch.stack([step.norm.log_scale for step in steps])
    return norms.sum() + torch.stack([step.permutation.log_scale for step in steps]).sum()


def affine(x_BCHW: Tensor, weight_CC: Tensor, bias_C: Tensor | None) -> Tensor:
    """Return A x + a at every place."""
    return functional.conv2d(x_BCHW, weight_CC[:, :, None, None], bias_C)


def _normalizations(steps: Sequence[Step]) -> tuple[Tensor, Tensor]:
    return (
        torch.stack([step.norm.log_scale for step in steps]).double(),
        torch.stack([step.norm.bias for step in steps]).double(),
    )


def _product(weight_KCC: Tensor, bias_KC: Tensor) -> Tensor:
    return (weight_KCC @ bias_KC[:, :, None]).squeeze(2)


def _like(steps: Sequence[Step], *values: Tensor) -> list[Tensor]:
    return [value.to(steps[0].norm.bias.dtype) for value in values]
