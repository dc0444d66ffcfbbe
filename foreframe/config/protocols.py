"""The section `protocols` of params.yaml: which futures are predicted, and how they are measured.

Everything that a number depends on besides the predictor stands here or follows from the data, so
numbers of one protocol may stand in one table.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from foreframe import kinds
from foreframe.config.base import Strict
from foreframe.config.futures import FutureSettings

# A protocol's name is also the name of its files.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

REPORTED = ("psnr", "ssim")  # the metrics whose course over the horizon the report draws

Size = Annotated[int, Field(ge=8, le=4096)]


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("it names one metric twice. Remove it.")
    known = kinds.available("foreframe.metrics")
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is unknown. There are: {', '.join(known)}.")
    return names


class MeasureSettings(Strict):
    """How futures are compared with the true ones, by metrics that are files of foreframe/metrics.

    `best` says what becomes of several futures: their mean (none), the one whose mean over the
    horizon is best for a metric (sequence), or the best one of each frame (frame). Metrics of whole
    sets take the first future of each clip, and see the predicted frames alone (future) or the
    context before them too (clip), as `sets_see` says. `resize` brings true and predicted frames to
    [rows, columns] before they are compared. `likelihood_samples` asks predictors that have a
    likelihood for it, a bound by so many samples of what is latent; null does not.
    """

    metrics: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]
    best: Literal["none", "sequence", "frame"]
    sets_see: Literal["future", "clip"]
    resize: tuple[Size, Size] | None
    likelihood_samples: Annotated[int, Field(ge=1, le=10_000)] | None


class ProtocolSettings(Strict):
    """Which futures are predicted, and how they are measured."""

    futures: FutureSettings
    measures: MeasureSettings
