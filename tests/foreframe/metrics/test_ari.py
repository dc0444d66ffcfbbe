"""The adjusted Rand index, by scikit-learn's and by cases that can be counted at once."""

import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from foreframe.metrics import ari
from foreframe.randomness import generator

SHAPE = (20, 60)


def labels(name: str, parts: int = 4) -> Tensor:
    return generator(0, "labels", name).integers(0, parts, SHAPE)


def index(one: Tensor, other: Tensor) -> Tensor:
    return ari.adjusted_rand_index(one, other, torch.ones_like(one, dtype=torch.bool))


def test_it_is_scikit_learn_s() -> None:
    true = labels("true")
    mixed = torch.where(labels("which", 3) > 0, true, labels("found", 6))
    wanted = [adjusted_rand_score(*each) for each in zip(true, mixed, strict=True)]
    torch.testing.assert_close(index(true, mixed), torch.tensor(wanted, dtype=torch.float64))
    kept = [
        adjusted_rand_score(one[one > 0], other[one > 0])
        for one, other in zip(true, mixed, strict=True)
    ]
    found = ari.foreground(true.unflatten(1, (6, 10)), mixed.unflatten(1, (6, 10)))
    torch.testing.assert_close(found, torch.tensor(kept, dtype=torch.float64))


def test_names_of_parts_do_not_matter_and_nor_do_sides() -> None:
    true, found = labels("true"), labels("found")
    other = generator(0, "names").permutation(4)[true]
    assert torch.equal(index(other, found), index(true, found))
    assert torch.equal(index(found, true), index(true, found))
    assert torch.equal(index(true, other), torch.ones(len(true)).double())


def test_chance_is_0_in_the_mean() -> None:
    found = index(labels("true"), labels("found"))
    assert abs(float(found.mean())) < 3 * float(found.std()) / len(found) ** 0.5


def test_ground_is_not_counted() -> None:
    true = torch.tensor([[[0, 0, 1, 1], [0, 0, 2, 2]]])
    found = torch.tensor([[[1, 2, 3, 3], [0, 1, 0, 0]]])
    assert ari.foreground(true, found).item() == 1
    # Two objects in one slot: no pair is where it ought to be beyond chance.
    assert ari.foreground(true, torch.zeros_like(true)).item() == 0


@pytest.mark.parametrize("parts", [torch.zeros(1, 5).long(), torch.arange(5)[None]])
def test_two_divisions_that_cannot_differ_agree(parts: Tensor) -> None:
    assert index(parts, parts).item() == 1
    assert index(parts, parts).item() == adjusted_rand_score(parts[0], parts[0])


def test_of_nothing_there_is_no_index() -> None:
    nothing = torch.zeros(1, 2, 2).long()
    assert ari.foreground(nothing, nothing).isnan().all()
