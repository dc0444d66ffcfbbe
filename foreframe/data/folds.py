"""Folds of labelled clips: each is tested once, by a classifier that has seen those of the others.

Folds are stratified, so that each has its share of every class (Coppock 2020, 4.4, takes five).
Clips are dealt one by one: where clips of one episode overlap, they may lie in several folds.
Suffix: N clips.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.randomness import permutation


def stratified(labels_N: Tensor, classes: Sequence[str], folds: int, seed: int) -> Tensor:
    """Return the fold of each clip, int64 (N,) in 0..folds-1: a function of labels and seed alone.

    `labels_N` are numbers of `classes`, -1 where a clip has none. Folds differ by at most one clip
    in size, and by at most one in the clips of any class.

    Raises:
        UserError: a clip has no label, all are of one class, or a class has fewer clips than there
            are folds.
    """
    assert folds >= 2, folds
    if missing := int((labels_N < 0).sum()):
        raise UserError(
            f"{missing} of {len(labels_N)} clips have no label, so they belong into no class: name "
            "a label that every clip has, or collect data with labels."
        )
    if len(labels_N.unique()) < 2:
        raise UserError(
            f"{len(labels_N)} clips have {len(labels_N.unique())} class, so there is nothing to "
            "tell apart: name another label, or take clips of more classes."
        )
    counts = torch.bincount(labels_N, minlength=len(classes)).tolist()
    fewest = min(range(len(counts)), key=lambda number: counts[number])
    if counts[fewest] < folds:
        raise UserError(
            f"the class {classes[fewest]} has {counts[fewest]} clips, fewer than the {folds} "
            "folds: lower folds, or take more sets or clips."
        )
    found_N = torch.empty_like(labels_N)
    dealt = 0
    for number, count in enumerate(counts):
        places = (labels_N == number).nonzero().flatten()
        mixed = places[permutation(count, seed, "folds", number)]
        # On from where the class before ended: sizes of folds stay equal as well.
        found_N[mixed] = (dealt + torch.arange(count)) % folds
        dealt += count
    return found_N
