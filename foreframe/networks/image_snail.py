"""The PixelSNAIL of maps of codes: gated causal layers of one kernel, with or without attention.

It is the trunk that public code of VQ-VAE-2's priors has (Razavi et al. 2019; Coppock 2020, Table
6.1), in which all convolutions are weight-normalised, a condition enters every layer, attention has
several heads, and a block's output is what the next one reads.

Shapes: B batch, F features, C condition channels, T H W code grid with T = 1, K codes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from foreframe.networks.attention import CausalHeads, coordinates
from foreframe.networks.causal import CausalConv3d, CausalEmbedding, SummedEmbeddings
from foreframe.networks.dropout import NONE, Dropout
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.snail import GatedResidualLayer, Grid

AXES = 2  # of positions that attention and the blocks' ends are told


@dataclass(frozen=True)
class Heads:
    """The attention of every block: its heads, and the channels of all of them together."""

    heads: int
    channels: int


def causal(inputs: int, outputs: int, side: int) -> CausalConv3d:
    """Return a convolution over `side` columns and the `side` rows that end with the own one.

    It does not see its own position: what a layer is added to does.
    """
    origin = (0, side - 1, side // 2)
    return weight_norm(CausalConv3d(inputs, outputs, (1, side, side), origin, sees_itself=False))


def code_input(codes: int, outputs: int, side: int) -> SummedEmbeddings:
    """Return the first layer: two rows above over `side` columns, and two columns to the left."""
    above = CausalEmbedding(codes, outputs, (1, 2, side), (0, 2, side // 2), sees_itself=False)
    reach = side // 2 + 1
    left = CausalEmbedding(codes, outputs, (1, reach, 2), (0, reach - 1, 2), sees_itself=False)
    return SummedEmbeddings([weight_norm(above), weight_norm(left)])


def pointwise(inputs: int, outputs: int, bias: bool = True) -> nn.Conv3d:
    """Return a 1x1x1 convolution."""
    layer: nn.Conv3d = weight_norm(nn.Conv3d(inputs, outputs, 1, bias=bias))
    return layer


class Lookback(nn.Module):
    """Attention between gated 1x1x1 layers: they make queries and keys, and join what is found."""

    def __init__(self, channels: int, heads: Heads) -> None:
        super().__init__()
        key, query = 2 * channels + AXES, channels + AXES
        self.keys = GatedResidualLayer(key, pointwise, hidden=channels)
        self.queries = GatedResidualLayer(query, pointwise, hidden=channels)
        self.attention = CausalHeads(query, key, heads.channels, heads.heads)
        aside = pointwise(heads.channels, channels)
        self.join = GatedResidualLayer(channels, pointwise, aside=aside)

    def forward(
        self, begun_BFTHW: Tensor, x_BFTHW: Tensor, where_B2THW: Tensor, dropout: Dropout
    ) -> Tensor:
        """Return (B,F,T,H,W), of the features that a block began with and those it made of them."""
        told = torch.cat([x_BFTHW, where_B2THW], dim=1)
        keys = self.keys(torch.cat([begun_BFTHW, told], dim=1), dropout=dropout)
        found = self.attention(self.queries(told, dropout=dropout), keys, dropout)
        joined: Tensor = self.join(x_BFTHW, found, dropout=dropout)
        return joined


class PixelBlock(Recomputed):
    """Gated layers, then a look back, or a 1x1x1 convolution; both are told positions."""

    def __init__(
        self, channels: int, layers: int, side: int, heads: Heads | None, condition: int | None
    ) -> None:
        super().__init__()

        def layer() -> GatedResidualLayer:
            told = None if condition is None else pointwise(condition, 2 * channels, bias=False)
            return GatedResidualLayer(
                channels, lambda inputs, outputs: causal(inputs, outputs, side), condition=told
            )

        self.layers = nn.ModuleList(layer() for _ in range(layers))
        self.attention = None if heads is None else Lookback(channels, heads)
        self.out = pointwise(channels + AXES, channels) if heads is None else None

    def forward(
        self,
        x_BFTHW: Tensor,
        where_B2THW: Tensor,
        condition_BCTHW: Tensor | None,
        dropout: Dropout,
    ) -> Tensor:
        """Return the block's output, a tensor of the input's shape."""
        begun_BFTHW = x_BFTHW
        for layer in self.layers:
            x_BFTHW = layer(x_BFTHW, None, condition_BCTHW, dropout)
        if self.attention is not None:
            seen: Tensor = self.attention(begun_BFTHW, x_BFTHW, where_B2THW, dropout)
            return seen
        assert self.out is not None
        result: Tensor = self.out(torch.cat([x_BFTHW, where_B2THW], dim=1))
        return result


class PixelTrunk(nn.Module):
    """Blocks one after another, ELU, and a 1x1x1 convolution to logits."""

    where: Tensor  # (2,T,H,W)

    def __init__(
        self,
        channels: int,
        blocks: int,
        layers: int,
        side: int,
        heads: Heads | None,
        condition: int | None,
        grid: Grid,
        codes: int,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            PixelBlock(channels, layers, side, heads, condition) for _ in range(blocks)
        )
        self.head = pointwise(channels, codes)
        self.register_buffer("where", coordinates(grid)[-AXES:].contiguous(), persistent=False)

    def each_block(self) -> Iterator[PixelBlock]:
        """Yield the blocks, first to last."""
        for block in self.blocks:
            assert isinstance(block, PixelBlock)
            yield block

    def forward(
        self, start_BFTHW: Tensor, condition_BCTHW: Tensor | None, dropout: Dropout = NONE
    ) -> Tensor:
        """Return logits: (B,F,T,H,W) -> (B,K,T,H,W)."""
        where = self.where.expand(len(start_BFTHW), -1, -1, -1, -1)
        x = start_BFTHW
        for block in self.each_block():
            x = block(x, where, condition_BCTHW, dropout)
        logits: Tensor = self.head(self.close(x))
        return logits

    def close(self, x: Tensor) -> Tensor:
        """Return what the head reads of the last features, of any shape."""
        return functional.elu(x)


class ConditionNetwork(Recomputed):
    """What the codes above say: a 3x3 convolution, gated layers, each vector on its own square."""

    def __init__(self, codes: int, channels: int, layers: int) -> None:
        super().__init__()
        self.codes = codes

        def convolution(inputs: int, outputs: int) -> nn.Module:
            return weight_norm(nn.Conv3d(inputs, outputs, (1, 3, 3), padding=(0, 1, 1)))

        self.first = convolution(codes, channels)
        self.layers = nn.ModuleList(
            GatedResidualLayer(channels, convolution) for _ in range(layers)
        )

    def forward(self, codes_Bthw: Tensor, grid: Grid, dropout: Dropout = NONE) -> Tensor:
        """Return features (B,C,T,H,W) of codes (B,t,h,w), whose sides divide those of the grid."""
        one_hot = functional.one_hot(codes_Bthw, self.codes).movedim(-1, 1)
        x: Tensor = self.first(one_hot.to(next(self.parameters()).dtype))
        for layer in self.layers:
            x = layer(x, dropout=dropout)
        for axis, size in enumerate(grid, start=2):
            x = x.repeat_interleave(size // x.shape[axis], dim=axis)
        return x
