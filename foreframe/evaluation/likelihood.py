"""The likelihood that a predictor gives to the true futures of a protocol, in bits per dimension.

Shapes: N clips, T frames of a clip.
"""

from dataclasses import asdict, replace
from typing import Any

import torch

from foreframe.config.futures import FutureSettings
from foreframe.config.protocols import LikelihoodSettings, scored
from foreframe.data.clips import Clips
from foreframe.evaluation import columns
from foreframe.evaluation.drawing import Task
from foreframe.evaluation.statistics import interval
from foreframe.metrics import bits_per_dimension
from foreframe.randomness import Draws

SEED = 0  # of the resampled clips
TOGETHER = 40  # samples at once, of several clips where one has fewer


def described(asked: LikelihoodSettings | None, futures: FutureSettings) -> dict[str, int] | None:
    """Return what a protocol says of it."""
    if asked is None:
        return None
    given, frames = scored(asked, futures)
    return {"samples": asked.samples, "given": given, "frames": frames}


def stated(task: Task, clips: Clips, asked: LikelihoodSettings | None) -> dict[str, Any]:
    """Return what an evaluation says of the likelihood: nothing where none was asked for.

    A predictor without one is no mistake of a protocol that others share: it has none.
    """
    if asked is None:
        return {}
    if task.predictor.likelihood_kind == "none":
        return {"likelihood": None}
    return {"likelihood": measure(task, clips, asked)}


def measure(task: Task, clips: Clips, asked: LikelihoodSettings) -> dict[str, Any]:
    """Return the mean over clips with its interval, its kind, and the samples it took.

    A bound is importance-weighted over the samples; with one it is the evidence lower bound, which
    stands beside one of several as `single`, their mean. An exact likelihood takes none.

    Raises:
        UserError: the predictor has no likelihood.
    """
    exact = task.predictor.likelihood_kind == "exact"
    samples = 1 if exact else asked.samples
    given, frames = scored(asked, task.settings)
    bits: list[torch.Tensor] = []
    single: list[torch.Tensor] = []
    together = max(1, TOGETHER // samples)
    for first in range(0, len(clips), together):
        rows = slice(first, min(first + together, len(clips)))
        real_NTHWC = clips.read(range(rows.start, rows.stop))[:, : given + frames]
        # The codes of a context may have seen the future; a likelihood of it may not.
        context = replace(task.context(rows, real_NTHWC), frames=real_NTHWC[:, :given], whole=None)
        draws = Draws.each(task.settings.seed, context.numbers, range(samples))
        found = task.predictor.likelihood(context, real_NTHWC[:, given:], draws)
        nats_N = bits_per_dimension.importance_weighted_nats(found.values)
        for nats, kept in ((nats_N, bits), (-found.values.mean(dim=0), single)):
            kept.append(bits_per_dimension.clip_bits(nats, found.dimensions, found.grey_level))
    bits_N = torch.cat(bits)
    kind: bits_per_dimension.Kind = "elbo" if samples == 1 else "importance_weighted"
    stated = bits_per_dimension.likelihood(
        bits_N, "exact" if exact else kind, 0 if exact else samples
    )
    ends = interval(bits_N, SEED)
    whole = {**asdict(stated), "low": ends.low, "high": ends.high}
    return whole if samples == 1 else {**whole, "single": columns.mean(torch.cat(single))}
