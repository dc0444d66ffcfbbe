"""Each class is a weighted sum of all pixels."""

from typing import Literal

from torch import Tensor, nn

from foreframe.classifiers import Classifier, ClassifierSettings, Given
from foreframe.config.training import Training


class Settings(ClassifierSettings):
    """Nothing of its own."""

    kind: Literal["toy"]
    training: Training


class Linear(Classifier):
    """One linear layer."""

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        size = given.shape
        pixels = size.channels * size.frames * size.height * size.width
        self.layer = nn.Linear(pixels, len(given.classes), bias=False)

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return the sums."""
        logits: Tensor = self.layer(x_BCTHW.flatten(1))
        return logits


def build(settings: Settings, given: Given) -> Linear:
    """Return an untrained classifier."""
    return Linear(settings, given)
