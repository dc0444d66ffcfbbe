"""A section of params.yaml that says how optical flow is derived from frames."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from foreframe.config.base import Strict

# Grey levels to each side of 128, which stands for no motion.
LEVELS = 127

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class FlowSettings(Strict):
    """Dense flow by polynomial expansion (Farneback 2003), kept as 8-bit numbers.

    Beside each setting stands what Mastropietro 2017 took, by his public code; the last four are a
    choice. `pairs: legacy` is a control, in which flow is as wrong as in that code; see
    `foreframe.data.flow`.
    """

    pyramid_scale: Annotated[float, Field(gt=0, lt=1)]  # of a picture to the finer one, 0.5
    levels: Count  # of the pyramid, 3
    window: Count  # pixels that are taken to move alike, 15
    iterations: Count  # on each level, 3
    neighbourhood: Literal[5, 7]  # pixels that a polynomial is fitted to, 5
    deviation: Positive  # of their weights, 1.2
    subtract_mean: bool  # of a frame: true, as of Simonyan and Zisserman 2014
    largest: Positive  # displacement that is kept whole, in pixels: 20
    scale: Positive  # grey levels to a pixel: 6; where nothing moves by more than 5, 25 are finer
    pairs: Literal["consecutive", "legacy"]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.scale * self.largest > LEVELS:
            raise ValueError(
                f"largest is {self.largest:g} pixels of {self.scale:g} grey levels each, but there "
                f"are {LEVELS} levels to each side. Lower scale to {LEVELS / self.largest:.4g} or "
                "less, or lower largest."
            )
        return self
