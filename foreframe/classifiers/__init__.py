"""Classifiers: which class a clip is of; a kind is a file of this package.

Shapes: B clips, C channels of the view, T frames, H rows, W columns, K classes.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import model_validator
from torch import Tensor
from torch.nn import functional

from foreframe.data import views
from foreframe.data.views import View
from foreframe.errors import UserError
from foreframe.models import ModelSettings, Role, Shape, SingleLoss
from foreframe.training.objective import Moment

PACKAGE = "foreframe.classifiers"
SCHEMA = "classifier"


class ClassifierSettings(ModelSettings):
    """What every kind of classifier has in its section of params.yaml; `label` names a label."""

    view: View
    label: str

    @model_validator(mode="after")
    def _sees_frames(self) -> Self:
        # Nor is there noise in them: what a clip is taken for is a function of the clip.
        views.require(self.view, self.kind, of="frames", dequantise=False)
        return self


@dataclass(frozen=True)
class Given:
    """What the data tell a classifier: the shape of clips, and the names of the K classes."""

    shape: Shape
    classes: tuple[str, ...]


class Classifier(SingleLoss):
    """Gives each class of one label a score.

    Raises:
        UserError: there is one class alone.
    """

    settings: ClassifierSettings
    given: Given

    def __init__(self, settings: ClassifierSettings, given: Given) -> None:
        super().__init__()
        if len(given.classes) < 2:
            raise UserError(
                f"The label {settings.label} has {len(given.classes)} class, so there is nothing "
                "to tell apart. Name another label, or collect episodes of several classes."
            )
        self.settings, self.given = settings, given

    @abstractmethod
    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return unnormalised log-probabilities (B,K) of clips as the view shows them."""

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return the cross-entropy in nats, and the share of wrong clips, both scalars."""
        right_B = batch["labels"][self.settings.label]
        logits_BK = self.logits(batch["x"])
        wrong_B = logits_BK.argmax(dim=1) != right_B
        return {
            "loss": functional.cross_entropy(logits_BK, right_B),
            "error": wrong_B.float().mean(),
        }


ROLE: Role[Classifier] = Role(SCHEMA, PACKAGE, Given)
