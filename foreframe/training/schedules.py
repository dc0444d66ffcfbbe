"""Step size and weight decay: pure functions of the step, and of what the validations measured."""

import math
from collections.abc import Sequence

from foreframe.config.training import Decay, Decline, HalfCosine, OptimizerSettings, Plateau


def learning_rate(
    settings: OptimizerSettings, step: int, steps: int, judged: Sequence[float]
) -> float:
    """Return the step size of step `step` (from 0) of `steps`.

    It rises linearly over the warm-up. Then it stays, or falls: along half a cosine, to 0 or to a
    number of its own; from some step on along a line to 0; by a factor in every so many steps; or
    by a factor whenever the values `judged`, one for each validation so far, have stopped falling.
    """
    rate, warmup = settings.learning_rate, settings.warmup_steps
    if step < warmup:
        return rate * (step + 1) / warmup
    match settings.schedule:
        case "constant":
            return rate
        case Plateau(factor=factor, patience=patience):
            return rate * factor ** count_stalls(judged, patience)
        case Decline(begin=begin):
            return rate * min(1.0, (steps - step) / max(1, steps - begin))
        case Decay(factor=factor, steps=each):
            return rate * factor ** ((step - warmup) / each)
        case HalfCosine(first=first, last=last):
            return _half_cosine(first, last, step - warmup, steps - warmup)
        case "cosine":
            return _half_cosine(rate, 0, step - warmup, steps - warmup)


def weight_decay(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Return the weight decay of step `step` (from 0) of `steps`."""
    if isinstance(settings.weight_decay, HalfCosine):
        return _half_cosine(settings.weight_decay.first, settings.weight_decay.last, step, steps)
    return settings.weight_decay


def _half_cosine(first: float, last: float, step: int, steps: int) -> float:
    progress = step / max(1, steps)
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * progress))


def count_stalls(values: Sequence[float], patience: int) -> int:
    """Return how often `patience` values in a row were not below the lowest before them."""
    lowest, waited, stalls = math.inf, 0, 0
    for value in values:
        waited = 0 if value < lowest else waited + 1
        lowest = min(lowest, value)
        if waited == patience:
            waited, stalls = 0, stalls + 1
    return stalls
