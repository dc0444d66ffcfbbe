"""Classifiers: which class a clip is of; a kind is a file of this package.

Shapes: B clips, C channels of the view, T frames, H rows, W columns, K classes.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from foreframe.data.views import View
from foreframe.models import ModelSettings, Role, Shape, SingleLoss
from foreframe.training.objective import Moment

PACKAGE = "foreframe.classifiers"
SCHEMA = "classifier"


class ClassifierSettings(ModelSettings):
    """What every kind of classifier has in its section of params.yaml; `label` names a label."""

    view: View
    label: str


@dataclass(frozen=True)
class Given:
    """What the data tell a classifier: the shape of clips, and the names of the K classes."""

    shape: Shape
    classes: tuple[str, ...]


class Classifier(SingleLoss):
    """Gives each class of one label a score."""

    settings: ClassifierSettings
    given: Given

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
