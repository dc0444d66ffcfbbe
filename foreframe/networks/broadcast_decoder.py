"""The spatial broadcast decoder (Watters et al. 2019): each slot draws a picture and says where.

A slot is copied to every place, learns where it lies (`positions`), and convolutions make colours
and a mask of it. A frame is the mean of the slots' colours by the softmax of their masks.

Shapes: B rows, K slots of D numbers, C channels, H rows, W columns; of `Rendered` any axes in B.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from foreframe.networks.positions import positions
from foreframe.networks.recomputed import Recomputed


class Rendered(NamedTuple):
    """What slots show: `colours` (B,K,C,H,W), and `masks` (B,K,H,W), which add up to 1 over K."""

    colours: Tensor
    masks: Tensor

    @property
    def frame(self) -> Tensor:
        """The frame (B,C,H,W): colours weighted by masks."""
        return (self.masks.unsqueeze(-3) * self.colours).sum(dim=-4)

    @property
    def light(self) -> Tensor:
        """What each slot adds to the frame's channels together (B,K,H,W), nothing below 0."""
        return self.masks * self.colours.clamp_min(0).sum(dim=-3)


class BroadcastDecoder(Recomputed):
    """`layers` convolutions of `width` channels, the first `doublings` of which double the size.

    Slots are copied to rows and columns of a frame's `size` divided by 2^doublings.
    """

    def __init__(
        self,
        dim: int,
        channels: int,
        size: tuple[int, int],
        *,
        width: int,
        layers: int,
        kernel: int,
        doublings: int,
        waves: int,
    ) -> None:
        super().__init__()
        self.size = (size[0] >> doublings, size[1] >> doublings)
        self.positions = positions(dim, waves)
        parts: list[nn.Module] = []
        for layer in range(layers):
            inputs, padding = width if layer else dim, kernel // 2
            if layer < doublings:
                doubling = nn.ConvTranspose2d(inputs, width, kernel, 2, padding, output_padding=1)
                parts += [doubling, nn.ReLU()]
            else:
                parts += [nn.Conv2d(inputs, width, kernel, padding=padding), nn.ReLU()]
        # Linear: the table that this is read from says ReLU, which would cut masks off at 0.
        self.layers = nn.Sequential(
            *parts, nn.Conv2d(width, channels + 1, kernel, padding=kernel // 2)
        )

    def forward(self, slots_BKD: Tensor) -> Rendered:
        """Return what slots show, (B,K,C,H,W) and (B,K,H,W)."""
        rows = slots_BKD.shape[:2]
        copies_XDHW = slots_BKD.flatten(0, 1)[:, :, None, None].expand(-1, -1, *self.size)
        drawn = self.layers(self.positions(copies_XDHW)).unflatten(0, rows)
        colours_BKCHW, logits_BKHW = drawn[:, :, :-1], drawn[:, :, -1]
        return Rendered(colours_BKCHW, logits_BKHW.softmax(dim=1))


def over_steps(decoder: nn.Module, slots_BSKD: Tensor) -> Rendered:
    """Return what slots of several steps show, (B,S,K,C,H,W) and (B,S,K,H,W), in one call."""
    rows = slots_BSKD.shape[:2]
    found: Rendered = decoder(slots_BSKD.flatten(0, 1))
    return Rendered(*(each.unflatten(0, rows) for each in found))


def joined(parts: list[Rendered], dim: int) -> Rendered:
    """Return what slots show at several steps as one, stacked along a new axis `dim`."""
    return Rendered(
        torch.stack([part.colours for part in parts], dim),
        torch.stack([part.masks for part in parts], dim),
    )
