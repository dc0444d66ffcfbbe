"""Pooling by maxima and enlarging by copies, against torch's own."""

import pytest
import torch
from torch.nn import functional

from foreframe.networks.pooling import enlarge, maxima
from foreframe.randomness import generator


@pytest.mark.parametrize("factor", [2, 4])
def test_maxima_and_their_gradients_are_those_of_torch(factor: int) -> None:
    x = generator(0, "x").normal((2, 3, 8, 12)).requires_grad_()
    weights = generator(0, "weights").normal((2, 3, 8 // factor, 12 // factor))
    ours, theirs = maxima(x, factor), functional.max_pool2d(x, factor)
    assert torch.equal(ours, theirs)
    (one,) = torch.autograd.grad((ours * weights).sum(), x)
    (other,) = torch.autograd.grad((theirs * weights).sum(), x)
    assert torch.equal(one, other)


def test_equal_values_share_the_gradient_of_their_block() -> None:
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(maxima(x).sum(), x)
    assert torch.equal(gradient, torch.full((1, 1, 2, 2), 0.25))


@pytest.mark.parametrize("factor", [1, 3])
def test_enlarging_by_any_factor_is_that_of_the_nearest_neighbour(factor: int) -> None:
    x = generator(0, "x").normal((2, 3, 4, 5))
    wanted = functional.interpolate(x, scale_factor=factor, mode="nearest")
    assert torch.equal(enlarge(x, factor), wanted)


def test_enlarging_repeats_each_value_and_its_gradient_sums_them() -> None:
    x = generator(0, "x").normal((2, 3, 4, 5)).requires_grad_()
    grown = enlarge(x, 2)
    assert torch.equal(grown, functional.interpolate(x, scale_factor=2, mode="nearest"))
    weights = generator(0, "weights").normal(tuple(grown.shape))
    (gradient,) = torch.autograd.grad((grown * weights).sum(), x)
    torch.testing.assert_close(gradient, functional.avg_pool2d(weights, 2) * 4)
    assert torch.equal(maxima(grown), x)
