"""Laws of folds: a partition, even in every class, and a function of labels and seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foreframe.data.folds import stratified
from foreframe.errors import UserError
from foreframe.randomness import generator

NAMES = ("disc", "ring", "star")


def labels(*counts: int, seed: int = 0) -> Tensor:
    """Return labels (N,) with so many of each class, mixed."""
    found = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return found[generator(seed, "labels").permutation(len(found))]


@given(st.lists(st.integers(7, 30), min_size=2, max_size=3), st.integers(2, 7), st.integers(0, 99))
def test_every_clip_is_in_one_fold_and_classes_are_even(
    counts: list[int], folds: int, seed: int
) -> None:
    labels_N = labels(*counts)
    folds_N = stratified(labels_N, NAMES[: len(counts)], folds, seed)
    assert folds_N.shape == labels_N.shape and set(folds_N.tolist()) == set(range(folds))
    for chosen_N in (torch.ones_like(labels_N).bool(), *(labels_N == each for each in (0, 1))):
        sizes = torch.bincount(folds_N[chosen_N], minlength=folds)
        assert sizes.max() - sizes.min() <= 1


def test_folds_are_a_function_of_labels_and_seed() -> None:
    labels_N = labels(20, 20, 20)
    found = [stratified(labels_N, NAMES, 5, seed) for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


@pytest.mark.parametrize(
    ("labels_N", "said"),
    [
        (labels(9, 4, 9), r"^the class ring has 4 clips, fewer than the 5 folds: lower folds, .*"),
        (labels(9, 9), r"^the class star has 0 clips, "),
        (labels(9), r"^9 clips have 1 class, so there is nothing to tell apart: name .*"),
        (torch.tensor([-1, 0, 1, -1]), r"^2 of 4 clips have no label, .* name a label .*"),
    ],
)
def test_what_cannot_be_folded_is_refused(labels_N: Tensor, said: str) -> None:
    with pytest.raises(UserError, match=said + r"[^.]*\.$"):
        stratified(labels_N, NAMES, 5, 0)
