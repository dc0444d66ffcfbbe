"""Strictly causal attention: every position looks at those before it in raster order, not itself.

Shapes: B batch, C channels, T H W grid, N = T*H*W positions, D key channels, E value channels.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from foreframe.networks.dropout import Dropout


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


class CausalHeads(nn.Module):
    """Several heads, with queries of other features than keys and values (Chen et al. 2018).

    Each head has an equal part of `channels`, and divides its scores by the root of how many that
    are. The first position has nothing to look at and returns zeros.
    """

    def __init__(self, query_inputs: int, inputs: int, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = weight_norm(nn.Conv3d(query_inputs, channels, 1))
        self.key = weight_norm(nn.Conv3d(inputs, channels, 1))
        self.value = weight_norm(nn.Conv3d(inputs, channels, 1))

    def forward(self, queries_BQTHW: Tensor, inputs_BCTHW: Tensor, dropout: Dropout) -> Tensor:
        """Attend: (B,Q,T,H,W) to (B,C,T,H,W) -> (B,E,T,H,W); `dropout` acts on the weights."""
        each = self.query(queries_BQTHW), self.key(inputs_BCTHW), self.value(inputs_BCTHW)
        # The position before the last channels, as heads are products of matrices.
        query, key, value = (
            part.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3) for part in each
        )
        seen = _earlier(query[:, :, 1:], key[:, :, :-1], value[:, :, :-1], dropout)
        outputs_BGDN = functional.pad(seen, (0, 0, 1, 0)).transpose(2, 3)
        return outputs_BGDN.flatten(1, 2).unflatten(2, inputs_BCTHW.shape[2:])


def _earlier(query_BGnD: Tensor, key_BGnD: Tensor, value_BGnD: Tensor, dropout: Dropout) -> Tensor:
    """Return what row i of the queries finds in rows up to i of keys and values: (B,G,n,D)."""
    if not dropout.acts:
        return functional.scaled_dot_product_attention(
            query_BGnD, key_BGnD, value_BGnD, is_causal=True
        )
    # torch's kernels draw their own masks, so with dropout the scores are held.
    scores = query_BGnD @ key_BGnD.transpose(2, 3) / math.sqrt(query_BGnD.shape[3])
    later = torch.ones(scores.shape[2:], dtype=torch.bool, device=scores.device).triu(1)
    return dropout(scores.masked_fill(later, -torch.inf).softmax(dim=-1)) @ value_BGnD


def coordinates(grid: tuple[int, int, int]) -> Tensor:
    """Return the positional code (Xu 2022, 5.3): t, h and w, each over [-0.5, 0.5): (3,T,H,W)."""
    axes = [torch.arange(size) / size - 0.5 for size in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
