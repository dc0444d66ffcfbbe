"""Metrics by the names that protocols call them: each is a file of this package.

Those that need public weights are known without them too: tables then show a dash, and the reason.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from foreframe import kinds
from foreframe.errors import ArtefactError, UserError
from foreframe.features import registry, store
from foreframe.features.store import Weights
from foreframe.metrics.metric import Metric

PACKAGE = "foreframe.metrics"


def find(name: str, folder: Path, device: torch.device) -> Metric:
    """Return the metric of a name, with the weights stored in `folder` if it needs any.

    Raises:
        UserError: there is no such metric.
        ArtefactError: stored weights are damaged or not the published ones.
    """
    metric: Metric = kinds.find(PACKAGE, name).metric(folder, device)
    return metric


def learned(
    about: Metric,
    names: Sequence[str],
    folder: Path,
    build: Callable[[Sequence[Weights]], Metric],
) -> Metric:
    """Return what `build` makes of stored weights, or `about` with the reason why there is nothing.

    Raises:
        ArtefactError: stored weights are damaged or not the published ones.
    """
    needed = [registry.entry(name) for name in names]
    try:
        weights = [store.require(folder, each) for each in needed]
    except ArtefactError:
        raise
    except UserError as error:
        known = [each.sha256 or "absent" for each in needed]
        return replace(about, digest=_together(known), missing=str(error))
    return build(weights)


def _together(digests: Sequence[str]) -> str:
    """Return one digest for several files: that of the only one, or of all."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()
