"""The section `sampling` of params.yaml: how codes are chosen, and what the report shows."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from foreframe.config.base import Strict

# Predictors of every table, and what else a file of samples holds: no choice may be called so.
TAKEN = (
    "copy_last_frame",
    "mean_frame",
    "linear_motion",
    "reconstruction",
    "real",
    "clip_number",
    "clip_start",
    "true_decode",
    "true_top",
    "true_bottom",
)

# A choice's name is also a group of a file of samples.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Choice(Strict):
    """How one code is chosen from its distribution.

    `argmax` takes the most likely code; `sample` draws one after dividing the logits by
    `temperature` and keeping the `top_k` most likely codes (0: all), and of those the most likely
    ones that together reach the probability `top_p` (1: all).
    """

    mode: Literal["argmax", "sample"]
    temperature: Annotated[float, Field(gt=0)]
    top_k: Annotated[int, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _argmax_is_plain(self) -> Self:
        if self.mode == "argmax" and (self.temperature, self.top_k, self.top_p) != (1.0, 0, 1.0):
            raise ValueError(
                "the mode argmax uses no temperature, top_k or top_p. "
                "Set them to 1.0, 0 and 1.0, or use the mode sample."
            )
        return self


class Sampling(Strict):
    """Every clip of a protocol is continued under each of `choices`; the report shows `show`."""

    show: Annotated[int, Field(ge=1)]
    choices: Annotated[dict[Name, Choice], Field(min_length=1)]
    # full_clip: the context's codes come from the whole clip, as in Xu 2022, where the encoder
    # saw some future; context_only: from the context's frames alone.
    context_encoding: Literal["full_clip", "context_only"]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := sorted(set(TAKEN) & set(self.choices)):
            raise ValueError(f"choices.{taken[0]}: this name is taken. Rename the choice.")
        return self
