"""Kind `conv3d`: convolutions of space and time (Mastropietro 2017, 5.2.2).

Time is compressed early: kernels are of many frames first, and of fewer in every layer. All steps
that are left are read at once.

Shapes: B clips, C channels of the view, T frames, H rows, W columns, K classes.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from foreframe.classifiers import Classifier, Given
from foreframe.classifiers.halving import VolumeSettings, sizes
from foreframe.networks.clip_trunk import channels_together, convolution


class Settings(VolumeSettings):
    """The section of params.yaml.

    For 20 frames of 64x64 the widths 64, 128, 256, 256, 512, 512 and the kernels 7, 5, 5, 3, 3, 1
    leave two steps.
    """

    kind: Literal["conv3d"]


class Conv3d(Classifier):
    """With those settings, colour and ten classes, 9,536,714 weights."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        sizes(settings.kind, given.shape, len(settings.widths))
        channels = pairwise([given.shape.channels, *settings.widths])
        self.layers = nn.Sequential(
            *[
                convolution(inputs, outputs, kernel)
                for (inputs, outputs), kernel in zip(channels, settings.kernels, strict=True)
            ]
        )
        self.head = nn.Linear(settings.steps * settings.widths[-1], len(given.classes))

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return unnormalised log-probabilities (B,K), of all steps that are left."""
        logits_BK: Tensor = self.head(self.layers(channels_together(x_BCTHW)).flatten(1))
        return logits_BK


def build(settings: Settings, given: Given) -> Conv3d:
    """Return an untrained classifier.

    Raises:
        UserError: there is one class alone, or frames do not end at a single place.
    """
    return Conv3d(settings, given)
