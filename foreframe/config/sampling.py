"""The section `sampling` of params.yaml: how futures are drawn, and what the report shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.errors import UserError

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


class Average(Strict):
    """The mean of the first futures of a choice, pixel by pixel: a future of its own."""

    of: Name
    futures: Annotated[int, Field(ge=2)]


@dataclass(frozen=True)
class Drawing:
    """How a row of a table comes about: the options of each future, and how many one is made of.

    The mean of futures that are drawn is a guess at the expected frame, which no other prediction
    beats in squared error; where they part it is blurred, so it is no video that could be seen.
    """

    options: Options
    averaged: int = 1

    @property
    def varies(self) -> bool:
        """Whether a clip has several futures: where nothing is drawn, and of means, all are one."""
        return self.options.random and self.averaged == 1


class Sampling(Strict):
    """Every clip of a protocol is continued under each of `choices`; the report shows `show`.

    What a choice may say is up to the predictor: see `drawings`. `means` are taken of its futures.
    """

    show: Annotated[int, Field(ge=1)]
    choices: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    means: dict[Name, Average]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        for section, names in (("choices", self.choices), ("means", self.means)):
            if taken := sorted(set(TAKEN) & set(names)):
                raise ValueError(f"{section}.{taken[0]}: this name is taken. Choose another one.")
        if both := sorted(set(self.choices) & set(self.means)):
            raise ValueError(f"means.{both[0]}: a choice has this name. Rename the mean.")
        for name, mean in self.means.items():
            if mean.of not in self.choices:
                known = ", ".join(self.choices)
                raise ValueError(f"means.{name}.of is {mean.of}; choices has: {known}.")
        return self

    @property
    def names(self) -> list[str]:
        """The names of all rows: choices, then means."""
        return [*self.choices, *self.means]

    def drawn(self, name: str) -> int:
        """Return how many futures are drawn for one of a row."""
        return self.means[name].futures if name in self.means else 1

    def drawings(self, options: type[Options]) -> dict[str, Drawing]:
        """Return what is drawn, by name, with the choices as the options of a predictor.

        Raises:
            UserError: it does not know one of them, or the mean is of a choice that draws nothing;
                the message names the place and the cure.
        """
        found = {
            name: Drawing(reading.validate(options, raw, f"sampling.choices.{name}"))
            for name, raw in self.choices.items()
        }
        for name, mean in self.means.items():
            if not found[mean.of].varies:
                raise UserError(
                    f"sampling.means.{name}.of is {mean.of}, under which all futures of a clip are "
                    "one. Name a choice that draws, or remove the mean."
                )
            found[name] = Drawing(found[mean.of].options, mean.futures)
        return found


def shown(drawings: Mapping[str, Drawing]) -> str:
    """Return the drawing that pictures are of: the first choice without chance, or the first."""
    single = [name for name, drawing in drawings.items() if drawing.averaged == 1]
    return next((name for name in single if not drawings[name].varies), single[0])
