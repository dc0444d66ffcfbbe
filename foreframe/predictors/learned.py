"""Predictors that are trained on frames: what they share; a kind is a file of this package.

Shapes: B clips, C channels of the view, T frames, H rows, W columns.
"""

from dataclasses import dataclass
from typing import Any, Literal

from foreframe.config.sampling import Options
from foreframe.data.partners import Labelled
from foreframe.data.scaling import Scaling
from foreframe.data.views import View
from foreframe.models import Model, ModelSettings, Role, Shape
from foreframe.predictors import Predictor

PACKAGE = "foreframe.predictors"
SCHEMA = "predictor"


class PredictorSettings(ModelSettings):
    """What every trained predictor has in its section of params.yaml."""

    view: View
    actions: Literal["none", "input"]  # input: it is given those that lead to the frames
    labels: tuple[str, ...]  # of whole clips, that it is given

    @property
    def labelled(self) -> Labelled | None:
        """Which few training clips have a label beside those; None: it learns from none."""
        return None


@dataclass(frozen=True)
class Given:
    """What the data tell a predictor: the shape of clips, and what its inputs mean.

    actions: names of the channels it is given; labels: names of the classes, by label, also of one
    that it learns from alone.
    """

    shape: Shape
    actions: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]


class LearnedPredictor(Predictor, Model):
    """A trained predictor; its objective takes batches with `x` (B,C,T,H,W) as its view shows them.

    `scaling`, between 8-bit frames and these, is there once a predictor is loaded to predict.
    """

    settings: PredictorSettings
    given: Given
    scaling: Scaling

    @property
    def takes_actions(self) -> bool:
        """Whether its contexts need actions."""
        return self.settings.actions == "input"

    def chosen(self, options: Options | None) -> dict[str, Any]:
        """Return the settings of the network too: another setting is another predictor."""
        return {"predictor": self.settings.model_dump(mode="json"), **super().chosen(options)}


ROLE: Role[LearnedPredictor] = Role(SCHEMA, PACKAGE, Given)
