"""Kind `conv_lstm`: frames each by itself, but for two late layers (Mastropietro 2017, 5.2.2).

The last step of the last layer, which recurs, is read.

Shapes: B clips, C channels of the view, T frames, H rows, W columns, K classes.
"""

from itertools import pairwise
from typing import Literal, Self

from pydantic import model_validator
from torch import Tensor, nn

from foreframe.classifiers import Classifier, Given
from foreframe.classifiers.halving import HalvingSettings, sizes
from foreframe.networks.clip_trunk import Recurrent, convolution


class Settings(HalvingSettings):
    """The section of params.yaml.

    For frames of 64x64 the widths are 64, 128, 256, 256, 512, 512, of which the fourth and the
    sixth layer recur.
    """

    kind: Literal["conv_lstm"]
    recurrent: tuple[bool, ...]  # whether a layer is a convolutional LSTM; the last one is
    recurrent_norm: bool  # batch normalisation in these, as in the author's code: true

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.recurrent) != len(self.widths):
            raise ValueError(
                f"recurrent speaks of {len(self.recurrent)} layers, but there are "
                f"{len(self.widths)} widths. Give a value of each for every layer."
            )
        if not self.recurrent[-1]:
            raise ValueError(
                "The last layer does not recur, so its last step would know of the last frame "
                "alone. Set the last of recurrent to true."
            )
        return self


class ConvLSTM(Classifier):
    """With those settings, colour and ten classes, 16,781,386 weights."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        self.layers = nn.Sequential()
        for (inputs, outputs), size, recurs in zip(
            pairwise([given.shape.channels, *settings.widths]),
            sizes(settings.kind, given.shape, len(settings.widths)),
            settings.recurrent,
            strict=True,
        ):
            self.layers.append(
                Recurrent(inputs, outputs, size, normalized=settings.recurrent_norm)
                if recurs
                else convolution(inputs, outputs, 1)
            )
        self.head = nn.Linear(settings.widths[-1], len(given.classes))

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return unnormalised log-probabilities (B,K), of the last step."""
        logits_BK: Tensor = self.head(self.layers(x_BCTHW)[:, :, -1].flatten(1))
        return logits_BK


def build(settings: Settings, given: Given) -> ConvLSTM:
    """Return an untrained classifier.

    Raises:
        UserError: there is one class alone, or frames do not end at a single place.
    """
    return ConvLSTM(settings, given)
