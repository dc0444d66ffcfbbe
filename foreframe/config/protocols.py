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


class LikelihoodSettings(Strict):
    """Of which frames predictors that have a likelihood are asked for it.

    Of the `frames` that follow the first `given` ones of each clip; null: as futures are. It is a
    bound by so many `samples` of what is latent, where anything is.
    """

    samples: Annotated[int, Field(ge=1, le=10_000)]
    given: Annotated[int, Field(ge=0)] | None
    frames: Annotated[int, Field(ge=1)] | None


class MeasureSettings(Strict):
    """How futures are compared with the true ones, by metrics that are files of foreframe/metrics.

    `best` says what becomes of several futures: their mean (none), the one whose mean over the
    horizon is best for a metric (sequence), or the best one of each frame (frame); it says nothing
    to metrics of whole sets, which `sets` are for. `resize` brings true and predicted frames to
    [rows, columns] before they are compared. Without `likelihood` nobody is asked for one.
    """

    metrics: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]
    best: Literal["none", "sequence", "frame"]
    sets: SetSettings
    resize: tuple[Size, Size] | None
    likelihood: LikelihoodSettings | None


def scored(asked: LikelihoodSettings, futures: FutureSettings) -> tuple[int, int]:
    """Return how many frames of a clip are given, and how many scored after them."""
    given = futures.context if asked.given is None else asked.given
    return given, futures.horizon if asked.frames is None else asked.frames


class ProtocolSettings(Strict):
    """Which futures are predicted, and how they are measured."""

    futures: FutureSettings
    measures: MeasureSettings

    @model_validator(mode="after")
    def _scores_what_is_there(self) -> "ProtocolSettings":
        if (asked := self.measures.likelihood) is not None:
            given, frames = scored(asked, self.futures)
            if given + frames > self.futures.frames:
                raise ValueError(
                    f"measures.likelihood is of {frames} frames after {given}, but clips have "
                    f"{self.futures.frames}. Lower given or frames, or raise futures.horizon."
                )
        return self

    @model_validator(mode="after")
    def _repeats_what_is_drawn(self) -> "ProtocolSettings":
        repeats, samples = self.measures.sets.repeats, self.futures.samples
        if repeats > samples:
            raise ValueError(
                f"measures.sets.repeats is {repeats}, but futures.samples is {samples}: each "
                "repeat takes another future of each clip. Lower repeats, or raise samples."
            )
        return self
