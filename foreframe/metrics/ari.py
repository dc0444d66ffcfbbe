"""The adjusted Rand index: how well two divisions of the same points agree (Hubert, Arabie 1985).

With n_ij points in part i of one and j of the other, sums a_i and b_j, and C(n) = n (n - 1) / 2,

    (sum C(n_ij) - E) / ((sum C(a_i) + sum C(b_j)) / 2 - E),  E = sum C(a_i) sum C(b_j) / C(n):

1 where they are the same but for names, 0 in the mean of divisions by chance. Of scenes the points
are pixels of objects, not of the ground (Castrejon 2022, 10.4.2), which is the mere `foreground`.

Shapes: N pictures of P pixels.
"""

import torch
from torch import Tensor


def adjusted_rand_index(true_NP: Tensor, found_NP: Tensor, counted_NP: Tensor) -> Tensor:
    """Return the index (N,), float64, of labels from 0 on, over the pixels that are counted.

    It is 1 where both have one part alone, or a part for each pixel; NaN where nothing is counted.
    """
    rows, columns = (int(each.max()) + 1 for each in (true_NP, found_NP))
    counts_NRC = torch.stack(
        [
            torch.bincount(
                (true_P[counted_P] * columns + found_P[counted_P]), minlength=rows * columns
            ).view(rows, columns)
            for true_P, found_P, counted_P in zip(true_NP, found_NP, counted_NP, strict=True)
        ]
    )
    both_N = _pairs(counts_NRC).sum(dim=(1, 2))
    one_N, other_N = (_pairs(counts_NRC.sum(dim=axis)).sum(dim=1) for axis in (2, 1))
    all_N = _pairs(counts_NRC.sum(dim=(1, 2)))
    # Times C(n), so that everything up to the division is a whole number.
    above_N = both_N * all_N - one_N * other_N
    below_N = (one_N + other_N) * all_N - 2 * one_N * other_N
    index_N = 2 * above_N.double() / below_N.double()
    same_N = index_N.masked_fill(below_N == 0, 1.0)
    return same_N.masked_fill(counts_NRC.sum(dim=(1, 2)) == 0, torch.nan)


def foreground(true_NHW: Tensor, found_NHW: Tensor) -> Tensor:
    """Return the index (N,) over what is no ground, which is 0 among the true labels."""
    true_NP, found_NP = true_NHW.flatten(1), found_NHW.flatten(1)
    return adjusted_rand_index(true_NP, found_NP, true_NP > 0)


def _pairs(counts: Tensor) -> Tensor:
    return counts * (counts - 1) // 2
