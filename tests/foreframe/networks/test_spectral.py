"""Weights over their first singular value: which that is, when it is looked for, its start."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks import spectral
from foreframe.networks.initialization import initialize
from foreframe.networks.spectral import Classes, Convolution, Linear, Spectral
from foreframe.randomness import generator

LAYERS: dict[str, Callable[[], Spectral]] = {
    "linear": lambda: Linear(6, 4),
    "wide": lambda: Linear(3, 9),
    "frames": lambda: Convolution(2, 5, (3, 3)),
    "volumes": lambda: Convolution(2, 3, (3, 3, 3), bias=False),
}
STEPS = 300


def uneven(name: str) -> Spectral:
    """Return a layer in double precision whose singular values are not alike."""
    layer = LAYERS[name]()
    initialize(layer, generator(0, "weights"))
    layer.double()
    with torch.no_grad():
        layer.weight.copy_(generator(0, "uneven").normal(layer.weight.shape))
    return layer


def largest(weight: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(weight.flatten(1), ord=2)


@pytest.mark.parametrize("name", LAYERS)
def test_the_weight_is_divided_by_its_largest_singular_value_once_that_is_found(name: str) -> None:
    layer = uneven(name)
    assert (layer.used() - layer.weight / largest(layer.weight)).abs().max() > 1e-4
    for _ in range(STEPS):
        spectral.advance(nn.Sequential(layer))
    torch.testing.assert_close(layer.used(), layer.weight / largest(layer.weight))
    assert largest(layer.used()).item() == pytest.approx(1)
    probe = generator(0, "probe").normal(layer.weight.shape).double()
    (found,) = torch.autograd.grad((layer.used() * probe).sum(), layer.weight)
    exact = (layer.weight / largest(layer.weight) * probe).sum()
    torch.testing.assert_close(found, torch.autograd.grad(exact, layer.weight)[0])


def test_no_use_of_a_weight_moves_what_is_known_of_it_and_a_step_does() -> None:
    layer = uneven("linear").train()
    before, weight = layer.u.clone(), layer.used()
    layer(torch.ones(2, 6, dtype=torch.float64))
    assert torch.equal(layer.u, before)
    assert torch.equal(layer.used(), weight)
    layer.advance()
    assert not torch.equal(layer.u, before)
    assert layer.u.norm().item() == pytest.approx(1)


def test_how_long_the_vector_is_has_no_influence() -> None:
    layer = uneven("frames")
    before = layer.used()
    layer.u.mul_(7)
    torch.testing.assert_close(layer.used(), before)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_begin_orthogonal_and_are_used_as_they_are(name: str) -> None:
    layer = LAYERS[name]()
    initialize(layer, generator(0, "weights"))
    weight_ON = layer.weight.flatten(1)
    small = (
        weight_ON @ weight_ON.T if len(weight_ON) <= weight_ON.shape[1] else weight_ON.T @ weight_ON
    )
    torch.testing.assert_close(small, torch.eye(len(small)), atol=1e-5, rtol=0)
    torch.testing.assert_close(layer.used(), layer.weight, atol=1e-5, rtol=0)
    assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize(
    ("name", "shape", "convolve"),
    [
        ("frames", (3, 2, 5, 4), functional.conv2d),
        ("volumes", (3, 2, 4, 5, 3), functional.conv3d),
    ],
)
def test_a_convolution_is_one_of_the_used_weight_and_keeps_the_size(
    name: str, shape: tuple[int, ...], convolve: Any
) -> None:
    layer = uneven(name)
    if layer.bias is not None:
        layer.bias.data.fill_(0.5)
    x = generator(0, "x").normal(shape).double()
    wanted = convolve(x, layer.used(), layer.bias, padding=1)
    assert wanted.shape[2:] == shape[2:]
    torch.testing.assert_close(layer(x), wanted)


def test_a_class_has_a_vector_of_its_own() -> None:
    layer = Classes(3, 4)
    initialize(layer, generator(0, "weights"))
    torch.testing.assert_close(layer(torch.tensor([2, 0])), layer.used().T[[2, 0]])
