"""The 1x1 convolution's matrix: its factors, its inverse, and where it begins."""

import hashlib

import numpy
import pytest
import torch

from foreframe.networks.flows.permutation import (
    Factors,
    InvertibleConvolution,
    factorized,
    orthogonal,
)
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator
from tests.foreframe.networks.flows.examples import scrambled

SIZES = [2, 5, 48]


def begun(channels: int, seed: int = 0) -> InvertibleConvolution:
    made = InvertibleConvolution(channels)
    initialize(made, generator(seed, "weights"))
    return made


@pytest.mark.parametrize("channels", SIZES)
def test_it_begins_as_a_rotation(channels: int) -> None:
    weight = Factors.of([begun(channels)]).product()[0]
    one = torch.eye(channels, dtype=torch.float64)
    torch.testing.assert_close(weight @ weight.T, one, atol=1e-5, rtol=0)
    normal = generator(0, "weights").normal((channels, channels)).double()
    wanted = torch.from_numpy(orthogonal(normal.numpy()))
    torch.testing.assert_close(weight, wanted, atol=1e-5, rtol=0)


def test_the_rotation_is_that_of_the_normal_numbers() -> None:
    """Of a matrix's QR decomposition with a positive diagonal Q is unique."""
    normal = generator(0, "x").normal((12, 12)).double().numpy()
    found = orthogonal(normal)
    q, r = numpy.linalg.qr(normal)
    numpy.testing.assert_allclose(found, q * numpy.sign(numpy.diag(r)), atol=1e-12)


def test_the_factors_are_those_of_gauss_with_pivots() -> None:
    matrix = generator(0, "x").normal((12, 12)).double().numpy()
    order, factors = factorized(matrix)
    lower, upper = numpy.tril(factors, -1) + numpy.eye(12), numpy.triu(factors)
    numpy.testing.assert_allclose(lower @ upper, matrix[order], atol=1e-12)
    assert numpy.abs(lower).max() == 1
    assert not numpy.array_equal(order, numpy.arange(12))


def test_the_start_has_the_same_bytes_everywhere() -> None:
    state = begun(48).state_dict()
    found = hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state)))
    wanted = "4e7c9ec7e35ad4866387e9e63031eca7c8587898e3257400aadd95cc88dc9ed1"
    assert found.hexdigest() == wanted


@pytest.mark.parametrize("channels", SIZES)
def test_log_scales_are_the_log_determinant_whatever_the_weights(channels: int) -> None:
    made = begun(channels)
    scrambled(made, 0.05)
    factors = Factors.of([made])
    wanted = torch.linalg.slogdet(factors.product()[0])[1]
    torch.testing.assert_close(made.log_scale.sum().double(), wanted, atol=1e-5, rtol=1e-5)


def test_the_inverse_of_several_at_once_is_that_of_each() -> None:
    several = [begun(6, seed) for seed in range(3)]
    factors = Factors.of(several)
    one = torch.eye(6, dtype=torch.float64).expand(3, 6, 6)
    torch.testing.assert_close(factors.product() @ factors.inverse(), one)
    torch.testing.assert_close(factors.product()[1], Factors.of(several[1:2]).product()[0])


def test_every_parameter_moves_the_matrix_and_the_permutation_stays() -> None:
    made = begun(5)
    Factors.of([made]).product().square().mul(torch.arange(25.0).view(5, 5)).sum().backward()
    assert made.factors.grad is not None
    assert made.log_scale.grad is not None
    assert (made.factors.grad.fill_diagonal_(1) != 0).all()
    assert (made.log_scale.grad != 0).all()
    assert set(dict(made.named_buffers())) == {"permutation", "sign"}
