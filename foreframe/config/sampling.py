"""The section `sampling` of params.yaml: how futures are drawn, and what the report shows."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from foreframe.config import reading
from foreframe.config.base import Strict

BASELINES = ("copy_last_frame", "mean_frame", "linear_motion")  # what there is without a model
# Predictors of every table, and what else a file of samples holds: no choice may be called so.
TAKEN = (
    *BASELINES,
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


class Options(Strict):
    """How a future is drawn: each kind of predictor has its own, and may have nothing to choose."""

    @property
    def random(self) -> bool:
        """Whether anything is drawn: where nothing is, all futures of a clip are one."""
        return False


class Choice(Options):
    """How one code is chosen from its distribution.

    `argmax` takes the most likely code; `sample` draws one after dividing the logits by
    `temperature` and keeping the `top_k` most likely codes (0: all), and of those the most likely
    ones that together reach the probability `top_p` (1: all).
    """

    mode: Literal["argmax", "sample"]
    temperature: Annotated[float, Field(gt=0)]
    top_k: Annotated[int, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]

    @property
    def random(self) -> bool:
        """Whether codes are drawn."""
        return self.mode == "sample"

    @model_validator(mode="after")
    def _argmax_is_plain(self) -> Self:
        if self.mode == "argmax" and (self.temperature, self.top_k, self.top_p) != (1.0, 0, 1.0):
            raise ValueError(
                "the mode argmax uses no temperature, top_k or top_p. "
                "Set them to 1.0, 0 and 1.0, or use the mode sample."
            )
        return self


class Sampling(Strict):
    """Every clip of a protocol is continued under each of `choices`; the report shows `show`.

    What a choice may say is up to the predictor: see `drawings`.
    """

    show: Annotated[int, Field(ge=1)]
    choices: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := sorted(set(TAKEN) & set(self.choices)):
            raise ValueError(f"choices.{taken[0]}: this name is taken. Rename the choice.")
        return self

    def drawings(self, options: type[Options]) -> dict[str, Options]:
        """Return the choices as the options of a predictor.

        Raises:
            UserError: it does not know one of them; the message names the place and the cure.
        """
        return {
            name: reading.validate(options, raw, f"sampling.choices.{name}")
            for name, raw in self.choices.items()
        }


def shown(drawings: Mapping[str, Options]) -> str:
    """Return the drawing that pictures are of: the first without chance, or the first."""
    fixed = [name for name, options in drawings.items() if not options.random]
    return (fixed or list(drawings))[0]
