"""Which futures a protocol asks for: what a stage that predicts them reads, and no more.

How they are measured stands apart, so that a further metric draws no future anew.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from foreframe.config.base import Strict

ContextEncoding = Literal["full_clip", "context_only"]


class FutureSettings(Strict):
    """`horizon` frames after `context` given ones, `samples` times for each of `clips` clips.

    A context of 0 frames gives nothing: clips are generated. The clips are spread evenly over those
    of the set that begin `stride` frames apart; null takes all. The file of samples keeps `keep`
    futures of each. `seed` is that of the samples; training has its own.
    """

    set: Literal["validation", "test"]
    clips: Annotated[int, Field(ge=1)] | None
    stride: Annotated[int, Field(ge=1)]
    context: Annotated[int, Field(ge=0, le=4096)]
    # full_clip: what is made of the context may come from the whole clip, as in Xu 2022, where the
    # encoder saw some future; context_only: from the context's frames alone.
    context_encoding: ContextEncoding
    horizon: Annotated[int, Field(ge=1, le=4096)]
    samples: Annotated[int, Field(ge=1, le=10_000)]
    keep: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]

    @property
    def frames(self) -> int:
        """How many frames a clip has, given and predicted ones."""
        return self.context + self.horizon

    @model_validator(mode="after")
    def _keeps_what_it_draws(self) -> "FutureSettings":
        if self.keep > self.samples:
            raise ValueError(
                f"keep is {self.keep}, but {self.samples} futures are drawn. Lower keep, or raise "
                "samples."
            )
        return self
