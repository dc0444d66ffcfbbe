"""The section `protocols` of params.yaml: which futures are predicted, and how they are measured.

Everything that a number depends on besides the predictor stands here or follows from the data, so
numbers of one protocol may stand in one table.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

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


class SetSettings(Strict):
    """How metrics of whole sets, such as FVD, take the clips.

    They `see` the predicted frames alone (future) or the context before them too (clip). With
    `repeats` N there is a distance for the first future of each clip, one for the second and so on
    to the N-th: their mean and standard deviation count. A covariance of D features has full rank
    from D + 1 clips on. With fewer, a distance is biased upwards: `few` says whether there is none
    (refuse) or one with a mark (allow).
    """

    see: Literal["future", "clip"]
    repeats: Annotated[int, Field(ge=1, le=10_000)]
    few: Literal["refuse", "allow"]


class MeasureSettings(Strict):
    """How futures are compared with the true ones, by metrics that are files of foreframe/metrics.

    `best` says what becomes of several futures: their mean (none), the one whose mean over the
    horizon is best for a metric (sequence), or the best one of each frame (frame); it says nothing
    to metrics of whole sets, which `sets` are for. `resize` brings true and predicted frames to
    [rows, columns] before they are compared. `likelihood_samples` asks predictors that have a
    likelihood for it, a bound by so many samples of what is latent; null does not.
    """

    metrics: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]
    best: Literal["none", "sequence", "frame"]
    sets: SetSettings
    resize: tuple[Size, Size] | None
    likelihood_samples: Annotated[int, Field(ge=1, le=10_000)] | None


class ProtocolSettings(Strict):
    """Which futures are predicted, and how they are measured."""

    futures: FutureSettings
    measures: MeasureSettings

    @model_validator(mode="after")
    def _repeats_what_is_drawn(self) -> "ProtocolSettings":
        repeats, samples = self.measures.sets.repeats, self.futures.samples
        if repeats > samples:
            raise ValueError(
                f"measures.sets.repeats is {repeats}, but futures.samples is {samples}: each "
                "repeat takes another future of each clip. Lower repeats, or raise samples."
            )
        return self
