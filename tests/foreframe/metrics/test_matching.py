"""Places of slots, and which slot is which object, by cases that can be seen at once."""

import itertools

import pytest
import torch
from torch import Tensor

from foreframe.metrics import matching
from foreframe.randomness import generator


def test_the_centroid_of_a_mask_is_where_it_lies() -> None:
    masks = torch.zeros(2, 3, 5, 7)
    masks[0, 0, 1, 4] = 0.3  # one pixel
    masks[0, 1, 2:4, 1:6] = 1.0  # a block around (3, 2.5)
    masks[0, 2, 0, 0], masks[0, 2, 4, 0] = 3.0, 1.0  # weighted
    found = matching.centroids(masks)
    wanted = torch.tensor([[4.0, 1.0], [3.0, 2.5], [0.0, 1.0]]).double()
    torch.testing.assert_close(found[0], wanted, atol=1e-5, rtol=0)
    # Of nothing it is the middle.
    torch.testing.assert_close(found[1], torch.tensor([3.0, 2.0]).double().expand(3, 2))
    torch.testing.assert_close(matching.centroids(masks[:, None])[:, 0], found)


def test_an_object_is_the_slot_that_is_nearest() -> None:
    slots = torch.tensor([[[0.0, 0.0], [9.0, 9.0], [9.0, 0.0]]])
    objects = torch.tensor([[[8.0, 1.0], [1.0, 1.0]]])
    assert matching.nearest(slots, objects).tolist() == [[2, 0]]


def test_a_permutation_is_found_again() -> None:
    places = 32 * generator(0, "places").uniform((3, 5, 2))
    order = torch.stack([generator(0, "order", row).permutation(5) for row in range(3)])
    moved = places.gather(1, order[..., None].expand(-1, -1, 2))
    noisy = moved + 0.1 * generator(0, "noise").normal(moved.shape)
    assert torch.equal(matching.paired(noisy, places), order)


def test_pairs_are_apart_least_in_all_and_not_each_by_itself() -> None:
    one, other = torch.tensor([[[0.0, 0], [1.0, 0]]]), torch.tensor([[[0.9, 0], [-5.0, 0]]])
    # Both are nearest to the first.
    assert matching.paired(one, other).tolist() == [[1, 0]]


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (4, 6), (4, 2), (1, 3)])
def test_what_is_assigned_gains_most(rows: int, columns: int) -> None:
    gains = generator(0, "gains", rows, columns).uniform((rows, columns))
    found = matching.assigned(gains)
    taken = [column for column in found if column >= 0]
    assert len(set(taken)) == len(taken) == min(rows, columns)
    padded = torch.cat([gains, torch.zeros(rows, rows)], dim=1)
    best = max(
        sum(float(padded[row, column]) for row, column in enumerate(order))
        for order in itertools.permutations(range(rows + columns), rows)
    )
    gained = sum(float(gains[row, column]) for row, column in enumerate(found) if column >= 0)
    assert gained == pytest.approx(best)


def places(*steps: tuple[int, int]) -> Tensor:
    """Return the places (1,T,1,2) of an object that takes steps."""
    return torch.tensor([(0, 0), *steps]).cumsum(dim=0)[None, :, None].double()


def test_moves_are_named_by_where_they_lead() -> None:
    found = matching.moves(places((-3, 0), (3, 0), (0, -3), (0, 6), (3, 3), (0, 0)))
    assert found.flatten().tolist() == [0, 1, 2, 3, -1, -1]
    assert matching.MOVES == ("left", "right", "up", "down")


def test_picks_are_counted_for_the_move_that_was_made() -> None:
    moves, modules = torch.tensor([0, 0, 1, -1, 3]), torch.tensor([2, 2, 0, 1, 1])
    found = matching.counts(moves, modules, 3)
    assert found.tolist() == [[0, 0, 2], [1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_what_belongs_to_slots_is_given_to_their_objects() -> None:
    values = torch.arange(2 * 3 * 4).view(2, 3, 4)
    slots = torch.tensor([[3, 0], [1, 1]])
    found = matching.of_objects(values, slots)
    assert found.tolist() == [values[0][:, [3, 0]].tolist(), values[1][:, [1, 1]].tolist()]
    twice = torch.stack([values, -values], dim=3)
    assert torch.equal(matching.of_objects(twice, slots)[..., 1], -found)


def test_modules_agree_as_much_as_the_best_assignment_says() -> None:
    order = [4, 0, 3, 1]
    perfect = torch.zeros(4, 5, dtype=torch.int64)
    for move, module in enumerate(order):
        perfect[move, module] = 5 + move
    assert matching.agreement(perfect) == (1.0, order)
    blurred = perfect.clone()
    blurred[0, 2] = 5 + 6 + 7 + 8  # as many moves to the left again, by the spare module
    share, modules = matching.agreement(blurred)
    assert modules == [2, 0, 3, 1]
    assert share == pytest.approx((26 + 6 + 7 + 8) / (26 * 2))
    even = torch.ones(4, 5, dtype=torch.int64)
    assert matching.agreement(even)[0] == pytest.approx(1 / 5)


def test_a_single_module_agrees_with_one_move() -> None:
    share, modules = matching.agreement(torch.tensor([[1], [5], [2], [2]]))
    assert (share, modules) == (0.5, [-1, 0, -1, -1])
    assert matching.agreement(torch.zeros(4, 5, dtype=torch.int64))[0] == 0
