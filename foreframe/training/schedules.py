"""The step size: a pure function of the step, and of what the validations so far have measured."""

import math
from collections.abc import Sequence

from foreframe.config.training import Decline, OptimizerSettings, Plateau


def learning_rate(
    settings: OptimizerSettings, step: int, steps: int, judged: Sequence[float]
) -> float:
    """Return the step size of step `step` (from 0) of `steps`.

    It rises linearly over the warm-up, then stays, falls to 0 along half a cosine or, from some
    step on, along a line, or falls by a factor whenever the values `judged`, one for each
    validation so far, have stopped falling.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.learning_rate
    if isinstance(settings.schedule, Plateau):
        stalls = count_stalls(judged, settings.schedule.patience)
        return settings.learning_rate * settings.schedule.factor**stalls
    if isinstance(settings.schedule, Decline):
        left = (steps - step) / max(1, steps - settings.schedule.begin)
        return settings.learning_rate * min(1.0, left)
    progress = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def count_stalls(values: Sequence[float], patience: int) -> int:
    """Return how often `patience` values in a row were not below the lowest before them."""
    lowest, waited, stalls = math.inf, 0, 0
    for value in values:
        waited = 0 if value < lowest else waited + 1
        lowest = min(lowest, value)
        if waited == patience:
            waited, stalls = 0, stalls + 1
    return stalls
