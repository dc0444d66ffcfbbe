"""Latents that are maps: from the one before and what is told to the distribution of the next.

Shapes: B rows, Z channels of a latent, F of what is told, H rows, W columns.
"""

import torch
from torch import Tensor, nn

from foreframe.networks.gaussian import Gaussian
from foreframe.networks.pyramids import SLOPE
from foreframe.networks.recomputed import Recomputed


class LatentMaps(Recomputed):
    """From z_t-1 and what is told to the Gaussian of z_t, by convolutions without normalisation."""

    def __init__(self, told: int, widths: tuple[int, int], latent: int) -> None:
        super().__init__()
        first, second = widths
        self.network = nn.Sequential(
            nn.Conv2d(latent + told, first, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(first, second, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(second, 2 * latent, 3, padding=1),
        )

    def forward(self, z_BZHW: Tensor, told_BFHW: Tensor) -> Gaussian:
        """Return the Gaussian of z_t (B,Z,H,W)."""
        return Gaussian.of(self.network(torch.cat([z_BZHW, told_BFHW], dim=1)))
