"""Laws of causal convolutions: what is seen, and that looking codes up equals one-hot vectors."""

import itertools
from typing import TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from foreframe.networks import causal, image_snail
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator

SMALL = settings(max_examples=25, deadline=None)
GRIDS = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
SIDES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(2, 4))


Layer = TypeVar("Layer", bound=causal.CausalConv3d)


def drawn(layer: Layer) -> Layer:
    initialize(layer, generator(0, "weights"))
    return layer


def layers(kernel: causal.Kernel) -> dict[str, causal.CausalConv3d]:
    """Return one layer of each form, for 2 channels or codes."""
    return {
        "corner": drawn(causal.corner(2, 3, kernel)),
        "centred": drawn(causal.centred(2, 3, kernel)),
        "input": drawn(causal.code_input(2, 3, kernel)),
    }


def moved(layer: causal.CausalConv3d, grid: tuple[int, int, int], position: int) -> torch.Tensor:
    """Return for each position whether the output moves with the input at `position`."""
    inputs = torch.randn(1, 2, *grid)
    other = inputs.clone()
    other.view(1, 2, -1)[:, :, position] += 1
    return (layer(inputs) != layer(other)).any(dim=1).flatten()


@SMALL
@given(grid=GRIDS, kernel=SIDES, data=st.data())
def test_an_input_moves_no_output_before_it(
    grid: tuple[int, int, int], kernel: causal.Kernel, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, grid[0] * grid[1] * grid[2] - 1))
    for name, layer in layers(kernel).items():
        changes = moved(layer, grid, position)
        assert not changes[:position].any(), name
        assert changes[position] == (name != "input"), name


def test_the_offsets_are_exactly_what_is_seen() -> None:
    grid, middle = (5, 9, 9), (2, 4, 4)
    for name, layer in layers((3, 3, 5)).items():
        seen = {
            (t - middle[0], y - middle[1], x - middle[2])
            for position, (t, y, x) in enumerate(itertools.product(*map(range, grid)))
            if moved(layer, grid, position).view(grid)[middle]
        }
        assert seen == set(layer.offsets()), name


def test_the_large_masked_kernel_has_the_live_taps_of_the_thesis() -> None:
    # 49 in the slice before, 21 in the rows above, 3 to the left, and itself.
    assert len(causal.centred(1, 1, (3, 7, 7)).offsets()) == 74
    assert len(causal.corner(1, 1, (2, 2, 2)).offsets()) == 8
    assert len(causal.code_input(1, 1, (2, 2, 2)).offsets()) == 7


def test_a_corner_kernel_is_a_padded_and_cropped_convolution() -> None:
    layer = drawn(causal.corner(2, 3, (2, 2, 2)))
    inputs = torch.randn(2, 2, 3, 4, 5)
    plain = functional.conv3d(inputs, layer.weight, layer.bias, padding=1)[:, :, :3, :4, :5]
    torch.testing.assert_close(layer(inputs), plain)


@SMALL
@given(grid=GRIDS, kernel=SIDES)
def test_a_masked_convolution_is_one_with_a_masked_weight(
    grid: tuple[int, int, int], kernel: causal.Kernel
) -> None:
    kernel = tuple(2 * (side // 2) + 1 for side in kernel)  # type: ignore[assignment]
    layer = drawn(causal.centred(2, 3, kernel))
    padding = [side // 2 for side in kernel]
    inputs = torch.randn(2, 2, *grid)
    plain = functional.conv3d(inputs, layer.weight * layer.mask, layer.bias, padding=padding)
    torch.testing.assert_close(layer(inputs), plain)


@SMALL
@given(grid=GRIDS, kernel=SIDES, codes=st.integers(1, 5))
def test_looking_codes_up_equals_convolving_one_hot_vectors(
    grid: tuple[int, int, int], kernel: causal.Kernel, codes: int
) -> None:
    layer = drawn(causal.code_input(codes, 3, kernel))
    ids = torch.randint(codes, (2, *grid))
    known = torch.rand(2, *grid) < 0.7
    one_hot = functional.one_hot(ids, codes).movedim(-1, 1).float()
    torch.testing.assert_close(layer.look_up(ids, None), layer(one_hot))
    torch.testing.assert_close(layer.look_up(ids, known), layer(one_hot * known[:, None]))


def test_looking_up_has_the_gradient_of_convolving() -> None:
    layer = drawn(causal.code_input(4, 3, (2, 2, 2)))
    ids = torch.randint(4, (2, 2, 3, 3))
    direction = torch.randn(2, 3, 2, 3, 3)
    one_hot = functional.one_hot(ids, 4).movedim(-1, 1).float()
    gradients = []
    for outputs in (layer.look_up(ids, None), layer(one_hot)):
        layer.zero_grad()
        outputs.backward(direction)
        assert layer.weight.grad is not None and layer.bias.grad is not None
        gradients.append((layer.weight.grad, layer.bias.grad))
    for looked_up, convolved in zip(*gradients, strict=True):
        torch.testing.assert_close(looked_up, convolved)


@pytest.mark.parametrize("name", ["corner", "centred", "input"])
def test_masked_taps_have_neither_influence_nor_gradient(name: str) -> None:
    layer = layers((3, 3, 3))[name]
    dead = (layer.mask == 0).expand_as(layer.weight)
    inputs = torch.randn(1, 2, 3, 4, 4)
    before = layer(inputs)
    before.sum().backward()
    assert layer.weight.grad is not None
    assert (layer.weight.grad[dead] == 0).all()
    with torch.no_grad():
        # As a step with weight decay would: every tap moves, masked or not.
        layer.weight[dead] = 1e3
    assert torch.equal(layer(inputs), before)


def test_summed_embeddings_are_the_sum_of_their_parts() -> None:
    layer = image_snail.code_input(5, 3, 5)
    initialize(layer, generator(0, "weights"))
    ids = torch.randint(5, (2, 1, 6, 7))
    known = torch.rand(2, 1, 6, 7) < 0.7
    parts = [part for part in layer.parts if isinstance(part, causal.CausalEmbedding)]
    expected = sum(part.look_up(ids, known) for part in parts)
    torch.testing.assert_close(layer.look_up(ids, known), expected)
    rows = {(dy, dx) for _, dy, dx in layer.offsets()}
    # Two rows above over five columns, and two columns to the left over three rows.
    assert rows == set(itertools.product((-2, -1), range(-2, 3))) | {(0, -2), (0, -1)}
