"""The section `split` of params.yaml: which frames train, validate and test."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from foreframe.config.base import Strict

SETS = ("train", "validation", "test")

# Fractions are decimal numbers: 0.8 + 0.1 + 0.1 is not 1 to the last bit.
TOLERANCE = 1e-9

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Split(Strict):
    """How the frames are shared out.

    `by: official` keeps to the sets of the data's authors. Of the fractions it reads train and
    validation, and only where the authors name no validation set.
    """

    by: Literal["time", "episode", "official"]
    train: Fraction
    validation: Fraction
    test: Fraction

    @model_validator(mode="after")
    def _check(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > TOLERANCE:
            raise ValueError(
                f"train, validation and test add up to {total:.6g}. Change them to add up to 1."
            )
        return self
