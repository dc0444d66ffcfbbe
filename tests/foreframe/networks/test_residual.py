"""The residual layer: its formula, its reach, and its number of weights."""

import pytest
import torch
from torch import Tensor

from foreframe.networks.residual import Kernel, ResidualLayer, ResidualStack


def test_layer_is_the_stated_formula() -> None:
    layer = ResidualLayer(3, 2, (1, 3, 3)).double()
    x = torch.randn(2, 3, 2, 4, 4, dtype=torch.float64)
    kept = x.clone()
    expected = x + layer.gather(layer.spread(x.clamp(min=0)).clamp(min=0))
    torch.testing.assert_close(layer(x), expected)
    assert torch.equal(x, kept), "the input, which the skip connection needs, was changed"


@pytest.mark.parametrize(
    ("kernel", "reach"), [((1, 3, 3), (1, 5, 5)), ((3, 3, 3), (5, 5, 5)), ((1, 1, 1), (1, 1, 1))]
)
def test_two_layers_reach_two_steps(kernel: Kernel, reach: tuple[int, int, int]) -> None:
    stack = ResidualStack(1, 1, 2, kernel)
    for parameter in stack.parameters():
        torch.nn.init.constant_(parameter, 0.1)  # all positive, so that no ReLU hides a path
    x = torch.ones(1, 1, 7, 7, 7, requires_grad=True)
    stack(x)[0, 0, 3, 3, 3].backward()
    assert extent(x.grad) == reach


def test_stack_ends_with_a_relu() -> None:
    x = torch.randn(1, 4, 2, 3, 3)
    assert torch.equal(ResidualStack(4, 2, 0, (1, 3, 3))(x), x.relu())
    assert ResidualStack(4, 2, 3, (1, 3, 3))(x).min() >= 0


def extent(gradient_BCTHW: Tensor | None) -> tuple[int, ...]:
    assert gradient_BCTHW is not None
    reached = gradient_BCTHW[0, 0].nonzero()
    return tuple((reached.amax(0) - reached.amin(0) + 1).tolist())
