"""Upsampling is a transposed convolution, in its numbers and its gradients."""

import pytest
import torch
from torch import nn

from foreframe.networks.upsampling import Stride, Upsampling


@pytest.mark.parametrize("stride", [(2, 2, 2), (2, 4, 4), (4, 2, 6)])
def test_equals_the_transposed_convolution(stride: Stride) -> None:
    layer = Upsampling(5, 3, stride).double()
    x = torch.randn(2, 5, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    ours, theirs = layer(x), nn.ConvTranspose3d.forward(layer, x)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    inputs = (x, *layer.parameters())
    expected = torch.autograd.grad((theirs * weights).sum(), inputs)
    found = torch.autograd.grad((ours * weights).sum(), inputs)
    for mine, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, reference)


def test_rescaled_weights_are_those_of_a_convolution_of_eight_taps() -> None:
    layer = Upsampling(64, 16, (2, 4, 4))
    layer.rescale()
    bound = 1 / (64 * 8) ** 0.5
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
