"""The section `protocols` of params.yaml: which futures are predicted, and how they are measured.

Everything that a number depends on besides the predictor stands here or follows from the data, so
numbers of one protocol may stand in one table.
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from foreframe.config.base import Strict

# A protocol's name is also the name of its files.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

# Each is computed by what `foreframe.metrics.catalogue` has under its name: the first ones frame by
# frame, the others (from fvd on) from whole sets of clips.
MetricName = Literal[
    "mse",
    "mae",
    "psnr",
    "ssim",
    "ssim_padded",
    "ms_ssim",
    "sharpness",
    "motion",
    "lpips_alex",
    "lpips_vgg",
    "fvd",
    "fvd_pooled",
    "fid",
    "inception_score",
    "random_video_distance",
]
METRICS: tuple[str, ...] = get_args(MetricName)

# The protocol that the report is about, and that `foreframe predict` follows.
MAIN = "driving"
REPORTED = ("psnr", "ssim")  # the metrics whose course over the horizon the report draws

Size = Annotated[int, Field(ge=8, le=4096)]


class ProtocolSettings(Strict):
    """`horizon` frames after `context` given ones, in `clips` clips of a set, `samples` times each.

    The clips are spread evenly over the set; null takes all. `best` says what becomes of several
    samples: their mean (none), the sample whose mean over the horizon is best for a metric
    (sequence), or the best one of each frame (frame). Metrics of whole sets take the first sample
    of each clip, and see the predicted frames alone (future) or the context before them too (clip),
    as `sets_see` says. `resize` brings true and predicted frames to [rows, columns] before they are
    compared. `seed` is that of the samples; training has its own.
    """

    set: Literal["validation", "test"]
    clips: Annotated[int, Field(ge=1)] | None
    context: Annotated[int, Field(ge=1, le=4096)]
    horizon: Annotated[int, Field(ge=1, le=4096)]
    samples: Annotated[int, Field(ge=1, le=10_000)]
    best: Literal["none", "sequence", "frame"]
    sets_see: Literal["future", "clip"]
    resize: tuple[Size, Size] | None
    metrics: Annotated[tuple[MetricName, ...], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]

    @property
    def frames(self) -> int:
        """How many frames a clip has, given and predicted ones."""
        return self.context + self.horizon

    @model_validator(mode="after")
    def _metrics_differ(self) -> Self:
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("metrics names one of them twice. Remove it.")
        return self
