"""A chain of image layers of which some activations are read: the shape of an LPIPS backbone.

Shapes: N images, C channels, H rows, W columns.
"""

from torch import Tensor, nn


class Taps(nn.Module):
    """Layers in a row, named `features.0`, `features.1`, ... as in torchvision's files.

    Attributes:
        widths: the number of channels of each activation that is read.
    """

    def __init__(self, features: nn.Sequential, taps: tuple[int, ...]) -> None:
        """Read the activations behind the layers with the numbers in `taps`."""
        super().__init__()
        self.features = features
        self._taps = taps
        self.widths = tuple(_width(features, tap) for tap in taps)

    def forward(self, x_NCHW: Tensor) -> list[Tensor]:
        """Return the activations (N, C, H, W) of the tapped layers, finest first."""
        activations = []
        for number, layer in enumerate(self.features):
            x_NCHW = layer(x_NCHW)
            if number in self._taps:
                activations.append(x_NCHW)
            if number == self._taps[-1]:
                break
        return activations


def _width(features: nn.Sequential, tap: int) -> int:
    """Return the channels behind a rectifier: those of the convolution before it."""
    convolution = features[tap - 1]
    assert isinstance(convolution, nn.Conv2d)
    return convolution.out_channels
