"""Pooling by maxima and enlarging by copies, against torch's own."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from foreframe.networks.pooling import Maxima, enlarge, maxima
from foreframe.randomness import generator


def on_a_gpu(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Return maxima as a GPU finds them."""
    found: torch.Tensor = Maxima.apply(x, factor)  # type: ignore[no-untyped-call]
    return found


def gradient(of: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a weighted sum of what a function makes of x."""
    found = of(x.requires_grad_())
    weights = generator(0, "weights").normal(tuple(found.shape)).to(x.device)
    (result,) = torch.autograd.grad((found * weights).sum(), x)
    return result


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_maxima_of_a_gpu_and_their_gradients_are_those_of_torch(factor: int, *, ties: bool) -> None:
    x = generator(0, "x").normal((2, 3, 6, 12))
    x = x.sign().relu() if ties else x
    assert torch.equal(on_a_gpu(x, factor), maxima(x, factor))
    one = gradient(lambda x: on_a_gpu(x, factor), x)
    assert torch.equal(one, gradient(lambda x: maxima(x, factor), x))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_maxima_and_enlarging_have_the_same_gradients_on_a_gpu() -> None:
    x = generator(0, "x").normal((2, 3, 6, 12))
    for of in (maxima, enlarge):
        assert torch.equal(gradient(of, x.cuda()).cpu(), gradient(of, x))


def test_the_first_of_equal_values_has_the_gradient_of_their_block() -> None:
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    for of in (maxima, lambda x: on_a_gpu(x, 2)):
        (found,) = torch.autograd.grad(of(x).sum(), x)
        assert found.flatten().tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_enlarging_repeats_each_value_and_its_gradient_sums_them(factor: int) -> None:
    x = generator(0, "x").normal((2, 3, 4, 5)).requires_grad_()
    grown = enlarge(x, factor)
    assert torch.equal(grown, functional.interpolate(x, scale_factor=factor, mode="nearest"))
    assert torch.equal(maxima(grown, factor), x)
    weights = generator(0, "weights").normal(tuple(grown.shape))
    (gradient,) = torch.autograd.grad((grown * weights).sum(), x)
    torch.testing.assert_close(gradient, functional.avg_pool2d(weights, factor) * factor**2)
