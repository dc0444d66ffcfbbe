"""Glimpses are those of a spatial transformer, forth, back and in their gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks import glimpses
from foreframe.randomness import generator

ROWS, OBJECTS, CHANNELS, HEIGHT, WIDTH, SIDE = 2, 3, 2, 9, 12, 5


def boxes() -> Tensor:
    """Return boxes (B,N,4) of all kinds: small and large ones, and some that leave the frame."""
    scale = generator(0, "scale").uniform((ROWS, OBJECTS, 2), 0.1, 1.2)
    middle = generator(0, "middle").uniform((ROWS, OBJECTS, 2), -1, 1)
    return torch.cat([scale, middle], dim=2).double().requires_grad_()


def affine(scale_n2: Tensor, middle_n2: Tensor) -> Tensor:
    zeros = torch.zeros_like(scale_n2[:, 0])
    rows = [
        torch.stack([scale_n2[:, 0], zeros, middle_n2[:, 0]], dim=1),
        torch.stack([zeros, scale_n2[:, 1], middle_n2[:, 1]], dim=1),
    ]
    return torch.stack(rows, dim=1)


def sampled(x_nCHW: Tensor, theta_n23: Tensor, size: tuple[int, int]) -> Tensor:
    shape = [len(x_nCHW), x_nCHW.shape[1], *size]
    grid = functional.affine_grid(theta_n23, shape, align_corners=False)
    return functional.grid_sample(x_nCHW, grid, align_corners=False)


@pytest.mark.parametrize("way", ["cut", "put"])
def test_a_glimpse_is_that_of_a_grid_with_its_gradients(way: str) -> None:
    box, numbers = boxes(), generator(0, "x")
    flat = box.flatten(0, 1)
    if way == "cut":
        x = numbers.normal((ROWS, CHANNELS, HEIGHT, WIDTH)).double().requires_grad_()
        found = glimpses.cut(x, box, SIDE)
        many = x.repeat_interleave(OBJECTS, dim=0)
        wanted = sampled(many, affine(flat[:, :2], flat[:, 2:]), (SIDE, SIDE))
    else:
        x = numbers.normal((ROWS, OBJECTS, CHANNELS, SIDE, SIDE)).double().requires_grad_()
        found = glimpses.put(x, box, (HEIGHT, WIDTH))
        back = affine(1 / flat[:, :2], -flat[:, 2:] / flat[:, :2])
        wanted = sampled(x.flatten(0, 1), back, (HEIGHT, WIDTH))
    torch.testing.assert_close(found.flatten(0, 1), wanted)
    weights = numbers.normal(wanted.shape).double()
    gradients = [
        torch.autograd.grad((each * weights).sum(), (x, box))
        for each in (found.flatten(0, 1), wanted)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_the_whole_frame_is_its_own_glimpse() -> None:
    whole, x = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]]), generator(0, "x").normal((1, 2, 7, 7))
    torch.testing.assert_close(glimpses.cut(x, whole, 7)[:, 0], x)
    torch.testing.assert_close(glimpses.put(x[:, None], whole, (7, 7))[:, 0], x)


def test_a_box_lies_where_it_says() -> None:
    # A quarter of the frame, to the right and above.
    box, ones = torch.tensor([[[0.5, 0.5, 0.5, -0.5]]]), torch.ones(1, 1, 1, 4, 4)
    found = glimpses.put(ones, box, (8, 8))[0, 0, 0]
    assert (found[:4, 4:] == 1).all()
    assert found[5:].abs().max() == 0
    assert found[:, :3].abs().max() == 0
