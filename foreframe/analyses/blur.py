"""Whether what is predicted blurs from an event on, such as a bounce, or merely as time goes by.

A network without chance does not know how a digit leaves a border, and is said to blur from there
on (Glissov and Konradsen 2021, figure 2.2). But most predictions blur with every frame, and what is
after an event is later than what is before it. So beside the change of a clip at its first event
stands what is left of it once each frame is measured from that of the clips that still wait for
theirs: the groups that are not yet treated (Callaway and Sant'Anna 2021,
"Difference-in-differences with multiple time periods").

Shapes: N clips, B of a batch, S predicted frames, H rows, W columns.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.one_step import Event, happening
from foreframe.analyses.subject import Found, Subject
from foreframe.evaluation import columns, statistics
from foreframe.metrics import sharpness
from foreframe.metrics.relative import FLOOR
from foreframe.predictors import Context
from foreframe.randomness import Draws

SHARPNESS = "sharpness"
BEFORE, AFTER = "before", "after"


class Settings(AnalysisSettings):
    """`event` of which the first one in a clip's predicted frames counts."""

    kind: Literal["blur"]
    event: Event


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return sharpness `before` and `after` the event, its `change`, and what is `beyond` drift.

    In octaves against the true frame: -1 is half as sharp. What too few clips tell is left out.

    Raises:
        UserError: the data have no such state, or the predictor cannot continue the clips.
    """
    given = subject.futures.context
    future_NS = happening(subject, settings.event)[:, given:]
    after_NS = future_NS.cummax(dim=1).values
    octaves_NS = torch.cat(list(_octaves(subject)))
    series = []
    for name, chosen_NS in ((BEFORE, ~after_NS), (AFTER, after_NS)):
        for place in chosen_NS.any(dim=0).nonzero().flatten().tolist():
            values_n = octaves_NS[chosen_NS[:, place], place]
            (row,) = columns.rows(
                values_n[:, None], samples="model", predictor=name, quantity=SHARPNESS
            )
            series.append(row | {"frame": place + 1})
    return Found(_change(octaves_NS, after_NS) | _beyond(octaves_NS, after_NS), series)


def _octaves(subject: Subject) -> Iterator[Tensor]:
    """Yield log2((p + f) / (r + f)) (B,S) of predicted and true frames, as the metric has them."""
    given, horizon = subject.futures.context, subject.futures.horizon
    for places in subject.batches():
        real_BTHWC = subject.clips.read(places)
        numbers = [subject.numbers[place] for place in places]
        draws = Draws.first(subject.futures.seed, numbers)
        context = Context(real_BTHWC[:, :given], numbers)
        made_BSHWC = subject.predictor.predict(context, horizon, subject.options, draws).frames
        real_BS, made_BS = sharpness.both(real_BTHWC[:, given:], made_BSHWC).unbind(dim=-1)
        yield ((made_BS + FLOOR) / (real_BS + FLOOR)).log2()


def _change(octaves_NS: Tensor, after_NS: Tensor) -> dict[str, Any]:
    """Return means of the clips that have frames both before and after, and of the difference."""
    weights = [_mean_of(chosen_NS) for chosen_NS in (~after_NS, after_NS)]
    both_N = after_NS.any(dim=1) & ~after_NS.all(dim=1)
    if not both_N.any():
        return {}
    before_n, after_n = ((octaves_NS * each_NS).sum(dim=1)[both_N] for each_NS in weights)
    return {
        BEFORE: columns.mean(before_n),
        AFTER: columns.mean(after_n),
        "change": columns.difference(after_n, before_n),
    }


def _beyond(octaves_NS: Tensor, after_NS: Tensor) -> dict[str, Any]:
    """Return the change of clips against that of those that still wait, over the same frames.

    A clip tells of its own change and, while it waits, of that of others. The interval is over both
    parts: values of clips whose mean is the estimate, the influence of each on it.
    """
    waiting_S = (~after_NS).sum(dim=0)
    kept_S = waiting_S >= statistics.SMALLEST
    octaves_NS, after_NS, waiting_S = octaves_NS[:, kept_S], after_NS[:, kept_S], waiting_S[kept_S]
    changes_N = after_NS.any(dim=1) & ~after_NS.all(dim=1)
    if not changes_N.any():
        return {}
    waiting_NS = (~after_NS).double() / waiting_S
    left_NS = octaves_NS - (octaves_NS * waiting_NS).sum(dim=0)
    weights_NS = (_mean_of(after_NS) - _mean_of(~after_NS)) * changes_N[:, None]
    own_N = (left_NS * weights_NS).sum(dim=1)
    of_others_N = -(left_NS * waiting_NS * weights_NS.sum(dim=0)).sum(dim=1)
    mean = own_N[changes_N].mean()
    influence_N = (own_N - mean * changes_N + of_others_N) / changes_N.double().mean()
    return {"beyond": columns.mean(mean + influence_N)}


def _mean_of(chosen_NS: Tensor) -> Tensor:
    """Return weights (N,S) whose sum with values is the mean of a clip's chosen frames, or 0."""
    return chosen_NS / chosen_NS.sum(dim=1, keepdim=True).clamp_min(1).double()
