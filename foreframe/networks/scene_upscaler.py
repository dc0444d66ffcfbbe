"""A small picture of features becomes a large one of colours (Castrejon 2022, Table 10.9).

As often as the size is doubled: a convolution, an instance normalisation, a ReLU and the doubling,
each pixel four times; then a convolution to colours. Shapes: B rows, C features, H rows, W columns.
"""

from torch import Tensor, nn

from foreframe.networks.recomputed import Recomputed


class Upscaler(Recomputed):
    """`doublings` of maps of `inputs` features, `width` of them on the way."""

    def __init__(self, inputs: int, width: int, doublings: int, channels: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for number in range(doublings):
            parts += [
                nn.Conv2d(width if number else inputs, width, 3, padding=1),
                nn.InstanceNorm2d(width),
                nn.ReLU(),
                nn.Upsample(scale_factor=2, mode="nearest"),
            ]
        last = nn.Conv2d(width if doublings else inputs, channels, 3, padding=1)
        self.layers = nn.Sequential(*parts, last)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return colours (B,3,2^doublings H,2^doublings W), which may be below 0 or above 1."""
        colours_BCHW: Tensor = self.layers(x_BCHW)
        return colours_BCHW
