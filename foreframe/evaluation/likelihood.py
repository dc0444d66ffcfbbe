"""The likelihood that a predictor gives to the true futures of a protocol, in bits per dimension.

Shapes: N clips, T frames of a clip.
"""

from dataclasses import asdict, replace
from typing import Any

import torch

from foreframe.data.clips import Clips
from foreframe.evaluation.drawing import Task
from foreframe.evaluation.statistics import interval
from foreframe.metrics import bits_per_dimension
from foreframe.randomness import Draws

SEED = 0  # of the resampled clips


def stated(task: Task, clips: Clips, samples: int | None) -> dict[str, Any]:
    """Return what an evaluation says of the likelihood: nothing where none was asked for.

    A predictor without one is no mistake of a protocol that others share: it has none.
    """
    if samples is None:
        return {}
    if task.predictor.likelihood_kind == "none":
        return {"likelihood": None}
    return {"likelihood": measure(task, clips, samples)}


def measure(task: Task, clips: Clips, samples: int) -> dict[str, Any]:
    """Return the mean over clips with its interval, its kind, and the samples it took.

    A bound is importance-weighted over `samples`; with one it is the evidence lower bound. An exact
    likelihood takes none.

    Raises:
        UserError: the predictor has no likelihood.
    """
    exact = task.predictor.likelihood_kind == "exact"
    parts = []
    for place in range(len(clips)):
        rows, real_NTHWC = slice(place, place + 1), clips.read([place])
        # The codes of a context may have seen the future; a likelihood of it may not.
        context = replace(task.context(rows, real_NTHWC), whole=None)
        draws = Draws.each(task.settings.seed, context.numbers, range(1 if exact else samples))
        future_NhHWC = real_NTHWC[:, task.settings.context :]
        found = task.predictor.likelihood(context, future_NhHWC, draws)
        nats_N = bits_per_dimension.importance_weighted_nats(found.values)
        parts.append(bits_per_dimension.clip_bits(nats_N, found.dimensions, found.grey_level))
    bits_N = torch.cat(parts)
    kind: bits_per_dimension.Kind = "elbo" if samples == 1 else "importance_weighted"
    stated = bits_per_dimension.likelihood(
        bits_N, "exact" if exact else kind, 0 if exact else samples
    )
    ends = interval(bits_N, SEED)
    return {**asdict(stated), "low": ends.low, "high": ends.high}
