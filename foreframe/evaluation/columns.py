"""Values of clips, joined from batches and summed up as means with an interval over clips.

Shapes: n clips, B clips of a batch, T frames.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from foreframe.evaluation import statistics

SEED = 0  # of the resampled clips; the same for all, as an interval is no sample of a model

Columns = Mapping[str, Tensor]  # float64 (n, ...), a value or several of each clip


def join(parts: Iterable[Columns]) -> dict[str, Tensor]:
    """Return the columns of all batches one after the other, each (n, ...)."""
    found = [dict(part) for part in parts]
    return {name: torch.cat([part[name] for part in found]) for name in found[0]}


def mean(values_n: Tensor) -> dict[str, Any]:
    """Return the mean of one value a clip, its interval (None below eight clips) and the clips."""
    return _facts(statistics.interval(values_n, SEED))


def difference(first_n: Tensor, second_n: Tensor) -> dict[str, Any]:
    """Return the mean of first - second, both of the same clips, as `mean` does."""
    return _facts(statistics.paired(first_n, second_n, SEED))


def share(yes_n: Tensor) -> dict[str, Any]:
    """Return the share of clips, in 0..1, for which a bool is true, as `mean` does."""
    return mean(yes_n.double())


def rows(values_nT: Tensor, **labels: str) -> list[dict[str, Any]]:
    """Return a row of the table of series for each frame: its mean over clips and interval."""
    found = []
    for number, values_n in enumerate(values_nT.unbind(dim=1), start=1):
        about = mean(values_n)
        ends = {name: about[name] for name in ("mean", "low", "high")}
        found.append({**labels, "frame": number, **ends})
    return found


def _facts(found: statistics.Interval) -> dict[str, Any]:
    return {"mean": found.mean, "low": found.low, "high": found.high, "clips": found.clips}
