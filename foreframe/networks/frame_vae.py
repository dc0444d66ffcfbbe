"""Layers of the convolutional SRNN and VRNN, between frame and latent (Glissov, Konradsen 2021).

Frames are seen at an eighth of their size; a latent is a vector, which two large dense layers turn
into a picture of that size. Widths are settings; the order of layers is that of the authors' code.
Convolutions before a batch normalisation have no bias, which it would take away again.

Shapes: B rows, T frames, C colours, F features, Z latent dimensions, H and W rows and columns of a
frame, H' = H/8 and W' = W/8 those of features.
"""

import torch
from torch import Tensor, nn

from foreframe.networks.gaussian import Gaussian
from foreframe.networks.recomputed import Layers, Recomputed

# Rows of a frame for one of its features: three halvings.
REDUCTION = 8


def frame_features(colours: int, widths: tuple[int, int, int]) -> nn.Sequential:
    """Return the layers from frames (B,C,H,W) to features (B,F,H',W'), F the last width."""
    first, second, last = widths
    return Layers(
        _normalized(nn.Conv2d(colours, first, 3, 2, 1, bias=False)),
        _normalized(nn.Conv2d(first, second, 3, 2, 1, bias=False)),
        _normalized(nn.Conv2d(second, last, 3, 2, 1, bias=False)),
        _normalized(nn.Conv2d(last, last, 3, 1, 1, bias=False)),
    )


def latent_features(dimensions: int, width: int, size: tuple[int, int]) -> nn.Sequential:
    """Return the layers from latents (B,Z) to features (B,F,H',W') of a size."""
    values = width * size[0] * size[1]
    return nn.Sequential(
        nn.Linear(dimensions, values),
        nn.ReLU(),
        nn.Linear(values, values),
        nn.ReLU(),
        nn.Unflatten(1, (width, *size)),
        _normalized(nn.Conv2d(width, width, 3, 1, 1, bias=False)),
    )


class LatentNetwork(Recomputed):
    """From features (B,F,H',W') to a Gaussian of latents (B,Z): a strided trunk, two heads."""

    def __init__(
        self,
        inputs: int,
        trunk: int,
        heads: tuple[int, int],
        dimensions: int,
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d(inputs, trunk, 3, 2, 1, bias=False)
        self.trunk = nn.Sequential(_normalized(convolution), nn.Flatten())
        halved = [(side + 1) // 2 for side in size]
        widths = (trunk * halved[0] * halved[1], *heads, dimensions)
        self.mean, self.deviation = _dense(widths), _dense(widths)

    def forward(self, *inputs_BFHW: Tensor) -> Gaussian:
        """Return the Gaussian of features that are joined along their channels."""
        trunk = self.trunk(torch.cat(inputs_BFHW, dim=1))
        return Gaussian.of(torch.cat([self.mean(trunk), self.deviation(trunk)], dim=1))


def frame_decoder(
    inputs: int, widths: tuple[int, int, int, int, int], outputs: int
) -> nn.Sequential:
    """Return the layers from features (B,F,H',W') to (B,outputs,H,W): doubled three times."""
    first, second, third, fourth, last = widths
    return Layers(
        _normalized(nn.ConvTranspose2d(inputs, first, 4, 2, 1, bias=False)),
        _normalized(nn.Conv2d(first, second, 3, 1, 1, bias=False)),
        _normalized(nn.ConvTranspose2d(second, third, 4, 2, 1, bias=False)),
        _normalized(nn.Conv2d(third, fourth, 3, 1, 1, bias=False)),
        _normalized(nn.ConvTranspose2d(fourth, last, 4, 2, 1, bias=False)),
        nn.Conv2d(last, outputs, 3, 1, 1),
    )


def over_time(network: nn.Module, *inputs_BT: Tensor) -> Tensor:
    """Return what a network says of each frame, (B,T,...), in one call."""
    rows, frames = inputs_BT[0].shape[:2]
    found: Tensor = network(*(each.flatten(0, 1) for each in inputs_BT))
    return found.unflatten(0, (rows, frames))


def _normalized(convolution: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


def _dense(widths: tuple[int, int, int, int]) -> nn.Sequential:
    first, second, third, last = widths
    return nn.Sequential(
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Linear(second, third),
        nn.ReLU(),
        nn.Linear(third, last),
    )
