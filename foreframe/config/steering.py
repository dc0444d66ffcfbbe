"""The section `steering` of a study: which actions its futures are tried with."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from foreframe.config.base import Strict
from foreframe.config.sampling import Choice

Share = Annotated[float, Field(ge=0, le=1)]


class Steering(Strict):
    """Futures of `clips` clips whose action `channel` is held at quantiles of the training set.

    A source's negative values mean left. The other channels are held at their training mean.
    """

    clips: Annotated[int, Field(ge=2)]
    channel: str
    left: Share  # quantile of the channel over the training clips
    straight: Share
    right: Share
    choice: Choice
    show: Annotated[int, Field(ge=1)]  # clips whose frames are kept

    @model_validator(mode="after")
    def _quantiles_rise(self) -> Self:
        if not self.left < self.straight < self.right:
            raise ValueError(
                f"left, straight and right are {self.left}, {self.straight} and {self.right}; "
                "quantiles must rise, for example 0.02, 0.5 and 0.98."
            )
        return self
