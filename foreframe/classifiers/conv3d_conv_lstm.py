"""Kind `conv3d_conv_lstm`: space and time compressed early, then recurrence.

The best one of Mastropietro 2017 (5.2.2): convolutions as of `conv3d`, and convolutional LSTMs over
the steps that are left, of which the last one is read.

Shapes: B clips, C channels of the view, T frames, H rows, W columns, K classes.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from foreframe.classifiers import Classifier, Given
from foreframe.classifiers.halving import VolumeSettings, Widths, sizes
from foreframe.networks.clip_trunk import Recurrent, channels_together, convolution


class Settings(VolumeSettings):
    """The section of params.yaml.

    For 20 frames of 64x64 the widths 64, 128, 256, 256 and the kernels 7, 5, 5, 3 leave four steps
    of 4x4 places; 512 and 512 are recurrent.
    """

    kind: Literal["conv3d_conv_lstm"]
    recurrent_widths: Widths  # channels of the convolutional LSTMs, which follow
    recurrent_norm: bool  # batch normalisation in these, as in the author's code: true


class Conv3dConvLSTM(Classifier):
    """With those settings, colour and ten classes, 28,292,298 weights."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        widths = [given.shape.channels, *settings.widths, *settings.recurrent_widths]
        found = sizes(settings.kind, given.shape, len(widths) - 1)
        channels = list(pairwise(widths))
        volumes = len(settings.widths)
        self.layers = nn.Sequential(
            *[
                convolution(inputs, outputs, kernel)
                for (inputs, outputs), kernel in zip(
                    channels[:volumes], settings.kernels, strict=True
                )
            ],
            *[
                Recurrent(inputs, outputs, size, normalized=settings.recurrent_norm)
                for (inputs, outputs), size in zip(channels[volumes:], found[volumes:], strict=True)
            ],
        )
        self.head = nn.Linear(widths[-1], len(given.classes))

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return unnormalised log-probabilities (B,K), of the last step."""
        shown_BCTHW: Tensor = self.layers(channels_together(x_BCTHW))
        logits_BK: Tensor = self.head(shown_BCTHW[:, :, -1].flatten(1))
        return logits_BK


def build(settings: Settings, given: Given) -> Conv3dConvLSTM:
    """Return an untrained classifier.

    Raises:
        UserError: there is one class alone, or frames do not end at a single place.
    """
    return Conv3dConvLSTM(settings, given)
