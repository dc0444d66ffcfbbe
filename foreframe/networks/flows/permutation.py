"""The invertible 1x1 convolution of Glow (Kingma and Dhariwal 2018): a learned permutation.

Its matrix is W = P L U: P a fixed permutation, L lower triangular with ones on its diagonal, U
upper triangular with sign exp(log s) on its own, so that log|det W| = sum(log s) at no cost.
It begins as a random rotation. The rotation and its factors come from elementwise operations in
float64 alone: LAPACK's results differ from processor to processor.

Shapes: K convolutions, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foreframe.randomness import Numbers

Matrix = NDArray[numpy.float64]


class InvertibleConvolution(nn.Module):
    """W = P L U over channels.

    Attributes:
        factors: (C,C), L below the diagonal and U above it.
        log_scale: log s (C,).
        permutation: P (C,C), fixed.
        sign: (C,), of the diagonal of U, fixed.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.zeros(channels, channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("permutation", torch.eye(channels))
        self.register_buffer("sign", torch.ones(channels))

    def draw(self, numbers: Numbers) -> None:
        """Begin as a random rotation."""
        normal = numbers.normal(self.factors.shape).double().numpy()
        order, factors = factorized(orthogonal(normal))
        diagonal = torch.from_numpy(factors).diagonal()
        self.factors.copy_(torch.from_numpy(factors)).fill_diagonal_(0)
        self.log_scale.copy_(diagonal.abs().log())
        self.sign.copy_(diagonal.sign())
        self.permutation.zero_()
        self.permutation[torch.from_numpy(order), torch.arange(len(order))] = 1.0


@dataclass(frozen=True)
class Factors:
    """P, L and U of K convolutions, float64 (K,C,C) each."""

    permutation: Tensor
    lower: Tensor
    upper: Tensor

    @classmethod
    def of(cls, convolutions: Sequence[InvertibleConvolution]) -> "Factors":
        """Return those of some convolutions of equal size."""
        packed = torch.stack([one.factors for one in convolutions]).double()
        log_scale = torch.stack([one.log_scale for one in convolutions]).double()
        sign = torch.stack([one.sign for one in convolutions]).double()
        one = torch.eye(packed.shape[-1], dtype=packed.dtype, device=packed.device)
        return cls(
            torch.stack([one.permutation for one in convolutions]).double(),
            packed.tril(-1) + one,
            packed.triu(1) + (sign * log_scale.exp()).diag_embed(),
        )

    def product(self) -> Tensor:
        """Return W (K,C,C)."""
        return self.permutation @ (self.lower @ self.upper)

    def inverse(self) -> Tensor:
        """Return W^-1 (K,C,C), by substitution."""
        solved = torch.linalg.solve_triangular(
            self.lower, self.permutation.mT, upper=False, unitriangular=True
        )
        return torch.linalg.solve_triangular(self.upper, solved, upper=True)


def orthogonal(matrix_CC: Matrix) -> Matrix:
    """Return the columns of a matrix made orthonormal, by modified Gram-Schmidt.

    Of normal numbers a rotation comes out that is as likely as any other, mirrored or not.
    """
    rest, found = matrix_CC.copy(), []
    while rest.shape[1]:
        # Sums over the rows of a matrix add row after row, on every processor.
        first = rest[:, :1] / numpy.sqrt((rest[:, :1] ** 2).sum(axis=0))
        found.append(first)
        rest = rest[:, 1:] - first * (first * rest[:, 1:]).sum(axis=0)
    return numpy.concatenate(found, axis=1)


def factorized(matrix_CC: Matrix) -> tuple[NDArray[numpy.int64], Matrix]:
    """Return (order, L and U in one matrix) with matrix[order] = L U, the largest pivot first."""
    left = matrix_CC.copy()
    order = numpy.arange(len(left))
    for place in range(len(left)):
        pivot = place + int(numpy.abs(left[place:, place]).argmax())
        swapped = [pivot, place]
        left[[place, pivot]], order[[place, pivot]] = left[swapped], order[swapped]
        left[place + 1 :, place] /= left[place, place]
        left[place + 1 :, place + 1 :] -= left[place + 1 :, [place]] * left[place, place + 1 :]
    return order, left
