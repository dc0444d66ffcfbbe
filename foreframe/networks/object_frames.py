"""How G-SWM's objects make a frame: each shows its looks in its box, the nearest before others.

An object o has colours c_o and an opacity a_o at every place of its box; with its presence p_o and
depth d_o it has the share

    m_o = w_o p_o a_o,  w_o = p_o a_o sigma(-d_o) / sum over objects of the same,

of a pixel; what is left is the ground, which is black. Shapes: as in `object_world`.
"""

import torch
from torch import Tensor, nn

from foreframe.networks import glimpses
from foreframe.networks.broadcast_decoder import Rendered
from foreframe.networks.object_world import PLACED, Objects, boxes, glimpse_decoder

# What keeps the shares of objects finite where there is none.
SMALLEST = 1e-6


class ObjectFrames(nn.Module):
    """Draws objects of `looks` numbers by glimpses of `side` rows into frames of a `size`."""

    def __init__(
        self, looks: int, channels: int, side: int, width: int, size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.size = size
        self.looks = glimpse_decoder(looks, side, width, channels + 1)

    def drawn(self, objects: Objects) -> tuple[Tensor, Tensor]:
        """Return colours (B,N,C,H,W), 0 outside of boxes, and opacities (B,N,H,W)."""
        rows = objects.attributes.shape[:2]
        looks_BNCGG = self.looks(objects.attributes[..., PLACED:].flatten(0, 1)).unflatten(0, rows)
        placed = glimpses.put(looks_BNCGG, boxes(objects.attributes), self.size)
        return placed[:, :, :-1], placed[:, :, -1]

    def forward(self, objects: Objects) -> Rendered:
        """Return what objects and, last, the ground show: colours (B,N+1,C,H,W) and masks."""
        colours_BNCHW, opacity_BNHW = self.drawn(objects)
        here_BNHW = objects.presence[..., None] * opacity_BNHW
        depth_BN11 = objects.attributes[..., PLACED - 1, None, None]
        near_BNHW = here_BNHW * (-depth_BN11).sigmoid()
        masks_BNHW = here_BNHW * near_BNHW / (near_BNHW.sum(dim=1, keepdim=True) + SMALLEST)
        ground_B1HW = 1 - masks_BNHW.sum(dim=1, keepdim=True)
        black = torch.zeros_like(colours_BNCHW[:, :1])
        return Rendered(
            torch.cat([colours_BNCHW, black], dim=1), torch.cat([masks_BNHW, ground_B1HW], dim=1)
        )


def covered(own_BMHW: Tensor, before_BNHW: Tensor) -> Tensor:
    """Return the share (B,M) of an object's opacity that others cover together."""
    others_B1HW = before_BNHW.sum(dim=1, keepdim=True).clamp(max=1)
    whole_BM = own_BMHW.sum(dim=(2, 3))
    return (own_BMHW * others_B1HW).sum(dim=(2, 3)) / (whole_BM + SMALLEST)
