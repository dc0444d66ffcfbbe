"""Strictly causal attention: every position looks at those before it in raster order, not itself.

Shapes: B batch, C channels, T H W grid, N = T*H*W positions, D key channels, E value channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class CausalAttention(nn.Module):
    """One head, one look-up: softmax(scale * q k) v over earlier positions (Xu 2022, Figure 4.6).

    The first position has nothing to look at and returns zeros.
    """

    def __init__(self, inputs: int, key_channels: int, value_channels: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.query = nn.Conv3d(inputs, key_channels, 1)
        self.key = nn.Conv3d(inputs, key_channels, 1)
        self.value = nn.Conv3d(inputs, value_channels, 1)

    def forward(self, inputs_BCTHW: Tensor) -> Tensor:
        """Attend: (B,C,T,H,W) -> (B,E,T,H,W)."""
        query, key, value = (
            layer(inputs_BCTHW).flatten(2).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        # Row i of the plain causal mask allows columns up to i. Without the first query and the
        # last key these are the positions before i, and no row is empty: no NaN can arise.
        seen = functional.scaled_dot_product_attention(
            query[:, 1:], key[:, :-1], value[:, :-1], is_causal=True, scale=self.scale
        )
        outputs_BNE = functional.pad(seen, (0, 0, 1, 0))
        return outputs_BNE.transpose(1, 2).unflatten(2, inputs_BCTHW.shape[2:])


def coordinates(grid: tuple[int, int, int]) -> Tensor:
    """Return the positional code (Xu 2022, 5.3): t, h and w, each over [-0.5, 0.5): (3,T,H,W)."""
    axes = [torch.arange(size) / size - 0.5 for size in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
