"""The residual layer of the video autoencoder: ReLU, convolution, twice, plus the input.

No normalisation and no dropout: a layer sees one position's neighbourhood and nothing else.
Shapes: B batch, C channels, T time, H height, W width.
"""

from torch import Tensor, nn

from foreframe.networks.recomputed import Recomputed

Kernel = tuple[int, int, int]


class ResidualLayer(nn.Module):
    """x + conv_1x1x1(relu(conv_kernel(relu(x)))), with `hidden` channels between (Xu 2022, 4.2.3).

    The kernel's sides (T, H, W) must be odd, so that the shape (B, C, T, H, W) is kept.
    """

    def __init__(self, channels: int, hidden: int, kernel: Kernel) -> None:
        super().__init__()
        frames, height, width = kernel
        padding = (frames // 2, height // 2, width // 2)
        self.spread = nn.Conv3d(channels, hidden, kernel, padding=padding)
        self.gather = nn.Conv3d(hidden, channels, 1)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        hidden = self.spread(x_BCTHW.relu()).relu_()
        return x_BCTHW + self.gather(hidden)


class ResidualStack(Recomputed, nn.Sequential):
    """`layers` residual layers and a closing ReLU; 0 layers leave the ReLU alone."""

    def __init__(self, channels: int, hidden: int, layers: int, kernel: Kernel) -> None:
        super().__init__(
            *(ResidualLayer(channels, hidden, kernel) for _ in range(layers)), nn.ReLU()
        )
