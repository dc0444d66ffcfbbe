"""Kind `cascade_of_classes`: a cascade that draws the class of a clip where nobody tells it one.

Protocols that let clips be made from nothing say no class. A cascade that is told classes can make
them all the same: of a class that is drawn first, all as likely, as scores of whole sets of clips
are meant (Clark et al. 2019; Castrejon et al. 2022). Where a class is told it is a `cascade`, and
it is trained as one.

Shapes: N clips, K classes.
"""

from dataclasses import replace
from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from foreframe.predictors import Context, Prediction, cascade
from foreframe.predictors.cascade import Cascade
from foreframe.predictors.learned import Given
from foreframe.randomness import Draws


class Settings(cascade.Settings):
    """Those of a cascade, which is told a class."""

    kind: Literal["cascade_of_classes"]  # type: ignore[assignment]

    @model_validator(mode="after")
    def _is_told_a_class(self) -> Self:
        if not self.labels:
            raise ValueError(
                "labels is [], but cascade_of_classes draws one of its classes. Name a label, or "
                "set kind to cascade."
            )
        return self


def build(settings: Settings, given: Given) -> "CascadeOfClasses":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: as for a cascade.
    """
    with torch.device("meta"):
        cascade.build(settings, given)  # which refuses what does not fit
    return CascadeOfClasses(settings, given)


class CascadeOfClasses(Cascade):
    """The same networks; all futures of a clip are of one class."""

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        name = self.settings.labels[0]
        if name not in context.labels:
            labels = {**context.labels, name: self.classes(context, draws.seed)}
            context = replace(context, labels=labels)
        return super()._predict(context, horizon, options, draws)

    def classes(self, context: Context, seed: int) -> Tensor:
        """Return a drawn class (N,) of each clip, a function of the seed and the clip's number."""
        count = len(self.given.labels[self.settings.labels[0]])
        of_clips = Draws.first(seed, context.numbers)
        return of_clips.gumbel("class", (0,), (count,)).argmax(dim=1)
