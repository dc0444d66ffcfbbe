"""How often the place of an object is told: among the best guesses, beside what needs no training.

Shapes: N clips, K classes, which are the cells of a square grid by rows, T frames.
"""

import math
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from foreframe.evaluation import statistics
from foreframe.randomness import Position

BEST = (1, 5)


def among(log_NK: Tensor, actual_N: Tensor, best: int) -> Tensor:
    """Return 1 for each clip whose class is among the `best` likeliest, else 0: float64 (N,)."""
    found_NB = log_NK.topk(min(best, log_NK.shape[1]), dim=1).indices
    return (found_NB == actual_N[:, None]).any(dim=1).double()


def apart(chosen_N: Tensor, actual_N: Tensor, classes: int) -> Tensor:
    """Return how many cells lie between two, along both axes together: float64 (N,)."""
    side = math.isqrt(classes)
    rows, columns = (
        abs(one - other)
        for one, other in ((chosen_N // side, actual_N // side), (chosen_N % side, actual_N % side))
    )
    return (rows + columns).double()


def told(log_NK: Tensor, actual_N: Tensor, seed: int, *position: Position) -> dict[str, Any]:
    """Return shares of clips that are told, and how far guesses are off, with intervals."""
    found = {f"top_{best}": among(log_NK, actual_N, best) for best in BEST}
    found["apart"] = apart(log_NK.argmax(dim=1), actual_N, log_NK.shape[1])
    return {
        name: asdict(statistics.interval(values_N, seed, *position, name))
        for name, values_N in found.items()
    }


def without(train_N: Tensor, actual_N: Tensor, classes: int) -> dict[str, Any]:
    """Return what is told by chance, and by the most frequent classes among training clips."""
    counts_K = torch.bincount(train_N, minlength=classes)
    log_NK = counts_K.double().expand(len(actual_N), -1)
    return {
        "chance": {f"top_{best}": min(best, classes) / classes for best in BEST},
        "frequent": {f"top_{best}": float(among(log_NK, actual_N, best).mean()) for best in BEST},
    }


def last_seen(cells_NT: Tensor, shares_NT: Tensor) -> Tensor:
    """Return the cell (N,), int64, in which something of an object was last seen; -1: in none."""
    seen_NT = shares_NT > 0
    times_T = torch.arange(1, seen_NT.shape[1] + 1)
    last_N = (seen_NT * times_T).argmax(dim=1)
    found_N = cells_NT.long().gather(1, last_N[:, None])[:, 0]
    return torch.where(seen_NT.any(dim=1), found_N, -1)
