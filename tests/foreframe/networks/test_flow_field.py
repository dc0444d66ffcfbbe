"""Feature flow, correlation and relations, against loops and against torch's own folding."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.flow_field import Relation, correlation, flow
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator

KAPPAS = (1, 3, 5)
SURE = 1e4  # a logit that has all of the mass


def grid(*shape: int, name: str = "grid") -> Tensor:
    return generator(0, name).normal(shape).double()


def displacements(kappa: int) -> list[tuple[int, int, int]]:
    """Return (number, rows down, columns to the right) of each."""
    reach = range(-(kappa // 2), kappa // 2 + 1)
    pairs = itertools.product(reach, reach)
    return [(n, down, right) for n, (down, right) in enumerate(pairs)]


def loop(kappa: int, height: int, width: int) -> list[tuple[int, int, int, int, int]]:
    """Return (number, row, column, row and column that it leads to), within the grid."""
    return [
        (n, i, j, i + down, j + right)
        for n, down, right in displacements(kappa)
        for i in range(height)
        for j in range(width)
        if 0 <= i + down < height and 0 <= j + right < width
    ]


def all_mass(kappa: int, row: int, column: int) -> Tensor:
    logits = torch.zeros(1, kappa**2, 4, 5).double()
    logits[:, (row + kappa // 2) * kappa + column + kappa // 2] = SURE
    return logits


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("size", [(4, 5), (1, 1), (2, 7)])
def test_a_flow_is_the_sum_of_what_is_sent_to_a_place(kappa: int, size: tuple[int, int]) -> None:
    h, logits = grid(2, 3, *size), grid(2, kappa**2, *size, name="logits")
    weights, wanted = logits.softmax(dim=1), torch.zeros_like(h)
    for n, i, j, to_i, to_j in loop(kappa, *size):
        wanted[:, :, to_i, to_j] += weights[:, n, i, j, None] * h[:, :, i, j]
    torch.testing.assert_close(flow(h, logits), wanted)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_a_flow_is_what_torch_folds(kappa: int) -> None:
    h, logits = grid(2, 3, 6, 5), grid(2, kappa**2, 6, 5, name="logits")
    columns = logits.softmax(dim=1)[:, None] * h[:, :, None]
    wanted = functional.fold(
        columns.view(2, 3 * kappa**2, 30), (6, 5), kernel_size=kappa, padding=kappa // 2
    )
    torch.testing.assert_close(flow(h, logits), wanted)


def test_with_all_mass_on_the_middle_nothing_moves() -> None:
    h = grid(1, 3, 4, 5)
    assert torch.equal(flow(h, all_mass(5, 0, 0)), h)


@pytest.mark.parametrize(("row", "column"), [(1, 0), (-1, 2), (2, -2)])
def test_with_all_mass_on_one_displacement_all_is_shifted_and_zeros_follow(
    row: int, column: int
) -> None:
    h = grid(1, 3, 4, 5)
    wanted = functional.pad(h, (column, -column, row, -row))
    assert torch.equal(flow(h, all_mass(5, row, column)), wanted)


def test_what_lies_inside_is_neither_lost_nor_gained() -> None:
    h, logits = torch.zeros(2, 3, 7, 8).double(), grid(2, 9, 7, 8, name="logits")
    h[:, :, 1:-1, 1:-1] = grid(2, 3, 5, 6)
    torch.testing.assert_close(flow(h, logits).sum(dim=(2, 3)), h.sum(dim=(2, 3)))
    edge = torch.ones(2, 3, 7, 8).double()
    assert (flow(edge, logits).sum(dim=(2, 3)) < edge.sum(dim=(2, 3))).all()


def naive_correlation(before: Tensor, after: Tensor, kappa: int) -> Tensor:
    rows, channels, height, width = before.shape
    found = torch.zeros(rows, kappa**2, height, width).double()
    for n, i, j, to_i, to_j in every(kappa, height, width):
        for _, m, o in displacements(kappa):
            ends = (i + m, j + o, to_i + m, to_j + o)
            if min(ends) >= 0 and max(ends[::2]) < height and max(ends[1::2]) < width:
                product = before[:, :, ends[0], ends[1]] * after[:, :, ends[2], ends[3]]
                found[:, n, i, j] += product.sum(dim=1)
    return found / (channels * kappa**2)


def every(kappa: int, height: int, width: int) -> list[tuple[int, int, int, int, int]]:
    """Return the same as `loop`, and what leads out of the grid."""
    places = list(itertools.product(range(height), range(width)))
    return [
        (n, i, j, i + down, j + right) for n, down, right in displacements(kappa) for i, j in places
    ]


@pytest.mark.parametrize("kappa", [1, 3])
def test_a_correlation_is_the_mean_of_products_of_two_patches(kappa: int) -> None:
    before, after = grid(2, 3, 4, 5), grid(2, 3, 4, 5, name="after")
    torch.testing.assert_close(
        correlation(before, after, kappa), naive_correlation(before, after, kappa)
    )


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, -2), (-2, 1)])
def test_a_correlation_finds_how_a_picture_has_moved(row: int, column: int) -> None:
    before = grid(1, 8, 12, 12)
    after = before.roll((row, column), dims=(2, 3))
    found = correlation(before, after, 5).argmax(dim=1)
    assert (found[:, 4:-4, 4:-4] == (row + 2) * 5 + column + 2).all()


def relation(kappa: int) -> Relation:
    made = Relation(3, kappa, (6, 4))
    initialize(made, generator(0, "weights"))
    return made.double()


@pytest.mark.parametrize("kappa", [1, 3])
def test_a_relation_is_one_network_of_pairs(kappa: int) -> None:
    made, before, after = relation(kappa), grid(2, 3, 4, 5), grid(2, 3, 4, 5, name="after")
    wanted = torch.zeros(2, kappa**2, 4, 5).double()
    first = nn.Linear(6, 6).double()
    with torch.no_grad():
        first.weight.copy_(torch.cat([made.before.weight, made.after.weight], dim=1).flatten(1))
        first.bias.copy_(made.before.bias if made.before.bias is not None else torch.zeros(6))
    for n, i, j, to_i, to_j in every(kappa, 4, 5):
        inside = 0 <= to_i < 4 and 0 <= to_j < 5
        there = after[:, :, to_i, to_j] if inside else torch.zeros(2, 3).double()
        pair = first(torch.cat([before[:, :, i, j], there], dim=1))
        wanted[:, n, i, j] = made.rest(pair[:, :, None, None]).flatten()
    torch.testing.assert_close(made(before, after), wanted)


SIZES = ((2, 3, 4), (1, 1, 1))
OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "flow": flow,
    "correlation": lambda before, after: correlation(before, after, 3),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients_are_those_of_the_formula_and_have_gradients_themselves(name: str) -> None:
    for size in SIZES:
        second = (9 if name == "flow" else size[0], *size[1:])
        inputs = [
            grid(2, *shape, name=f"{place}").requires_grad_()
            for place, shape in enumerate((size, second))
        ]
        assert torch.autograd.gradcheck(OPERATIONS[name], inputs)
        assert torch.autograd.gradgradcheck(OPERATIONS[name], inputs)


def test_nothing_is_kept_for_the_way_back_but_what_flows_and_the_weights() -> None:
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    h, logits = grid(1, 16, 20, 20).requires_grad_(), grid(1, 25, 20, 20, name="logits")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        flow(h, logits.requires_grad_())
    # The features, and the weights as softmax keeps them and as a line.
    assert sum(kept.values()) <= 8 * 22 * 20 * (16 + 2 * 25)
