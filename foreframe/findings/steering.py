"""Steering futures: which actions they are given, and what becomes of them, without any network.

A future follows its actions if it turns further right the further right it is steered.

Shapes: N contexts, t given frames, T frames in all, A action channels, X training actions.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy
import torch
from torch import Tensor

from foreframe.config.steering import Steering
from foreframe.evaluation import statistics
from foreframe.metrics import turning
from foreframe.randomness import permutation

HELD = ("left", "straight", "right")
RECORDED, SHUFFLED = "recorded", "shuffled"
SEQUENCES = (*HELD, RECORDED, SHUFFLED)
REAL, RECONSTRUCTION = "real", "reconstruction"
MEASURES = {
    "turn": turning.VARIANT,
    "read": "steering read off neighbouring frames by ridge regression, fitted on training frames",
}


def others(count: int, seed: int) -> Tensor:
    """Return for each of `count` clips the number of another one, each once: int64 (count,)."""
    order = permutation(count, seed, "steer", "others")
    found = torch.empty_like(order)
    found[order] = order.roll(1)
    return found


def held(training_XA: Tensor, settings: Steering, column: int) -> dict[str, Tensor]:
    """Return the actions (A,) that are held: the training mean, steered to a quantile."""
    result = {}
    for name in HELD:
        action_A = training_XA.mean(dim=0)
        share = getattr(settings, name)
        action_A[column] = float(numpy.quantile(training_XA[:, column].numpy(), share))
        result[name] = action_A.float()
    return result


def sequences(
    recorded_NTA: Tensor, constant: Mapping[str, Tensor], t: int, seed: int
) -> dict[str, Tensor]:
    """Return the actions (N,T,A) of each sequence; what led to the context is as recorded."""
    result = {RECORDED: recorded_NTA, SHUFFLED: recorded_NTA.clone()}
    result[SHUFFLED][:, t:] = recorded_NTA[others(len(recorded_NTA), seed), t:]
    for name, action_A in constant.items():
        result[name] = recorded_NTA.clone()
        result[name][:, t:] = action_A
    return {name: result[name] for name in SEQUENCES}


def compare(
    values: Mapping[str, Tensor], steered: Mapping[str, Tensor], seed: int, name: str
) -> dict[str, Any]:
    """Return what the measure `name` says; `values` (N,) by kind of clip.

    `steered` is the mean steering (N,) of the futures, as recorded and as shuffled.
    """
    left_N, straight_N, right_N = (values[kind] for kind in HELD)
    recorded_N = steered[RECORDED]
    return {
        "variant": MEASURES[name],
        "mean": {kind: _interval(values[kind], seed, name, kind) for kind in values},
        "right_less_left": _interval(right_N - left_N, seed, name, "difference"),
        "follows": _interval((left_N < straight_N) & (straight_N < right_N), seed, name, "order"),
        "right_of_left": _interval(left_N < right_N, seed, name, "pair"),
        "correlation": {
            "real": _correlation(values[REAL], recorded_N),
            "reconstruction": _correlation(values[RECONSTRUCTION], recorded_N),
            "recorded": _correlation(values[RECORDED], recorded_N),
            "shuffled": _correlation(values[SHUFFLED], steered[SHUFFLED]),
            "shuffled_with_recorded": _correlation(values[SHUFFLED], recorded_N),
        },
    }


def _interval(values_N: Tensor, seed: int, *position: str) -> dict[str, Any]:
    return asdict(statistics.interval(values_N.double(), seed, "steer", *position))


def _correlation(first_N: Tensor, second_N: Tensor) -> float | None:
    """Return Pearson's correlation, None where nothing varies."""
    both_2N = torch.stack([first_N.double(), second_N.double()])
    found = float(torch.corrcoef(both_2N)[0, 1])
    return found if math.isfinite(found) else None
