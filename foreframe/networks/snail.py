"""The PixelSNAIL trunk: gated causal residual layers in blocks, with or without attention.

Both priors of Xu 2022 are this trunk; they differ in kernels, attention and condition. The trunk
starts from features, so that a condition can be added to them, and ends in logits.

Shapes: B batch, F channels, G = 2F gated channels, T H W grid, K codes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.attention import CausalAttention, coordinates
from foreframe.networks.dropout import NONE, Dropout
from foreframe.networks.recomputed import Recomputed

Convolution = Callable[[int, int], nn.Module]  # (inputs, outputs) -> a layer that keeps the grid
Grid = tuple[int, int, int]


@dataclass(frozen=True)
class Attention:
    """The attention of every block: channels of keys and of values, and the factor on q k."""

    key_channels: int
    value_channels: int
    scale: float


class GatedResidualLayer(nn.Module):
    """x + a * sigmoid(b), with (a, b) = conv(elu(conv(elu(x)))) (Xu 2022, Figure 4.5).

    Where the layer is given them, 1x1x1 convolutions of an aside (after ELU) and of a condition are
    added to what the first and the second convolution make (Salimans et al. 2017).
    """

    def __init__(
        self,
        channels: int,
        convolution: Convolution,
        hidden: int | None = None,
        aside: nn.Conv3d | None = None,
        condition: nn.Conv3d | None = None,
    ) -> None:
        super().__init__()
        hidden = channels if hidden is None else hidden
        self.first = convolution(channels, hidden)
        self.second = convolution(hidden, 2 * channels)
        self.aside = aside
        self.condition = condition

    def forward(
        self,
        x_BFTHW: Tensor,
        aside_BATHW: Tensor | None = None,
        condition_BCTHW: Tensor | None = None,
        dropout: Dropout = NONE,
    ) -> Tensor:
        """Return a tensor of the input's shape; `dropout` acts between the convolutions."""
        hidden = self.first(functional.elu(x_BFTHW))
        if self.aside is not None and aside_BATHW is not None:
            hidden = hidden + self.aside(functional.elu(aside_BATHW))
        gated = self.second(dropout(functional.elu(hidden)))
        if self.condition is not None and condition_BCTHW is not None:
            gated = gated + self.condition(condition_BCTHW)
        return x_BFTHW + functional.glu(gated, dim=1)


class Block(Recomputed):
    """Residual layers, then a sum of a local and (with attention) a global branch (Figure 4.4)."""

    def __init__(
        self, channels: int, layers: int, convolution: Convolution, attention: Attention | None
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            GatedResidualLayer(channels, convolution) for _ in range(layers)
        )
        self.local = nn.Conv3d(channels, channels, 1)
        self.attention = self.distant = None
        if attention is not None:
            self.attention = CausalAttention(
                2 * channels + 3, attention.key_channels, attention.value_channels, attention.scale
            )
            self.distant = nn.Conv3d(attention.value_channels, channels, 1)
        self.out = nn.Conv3d(channels, channels, 1)

    def forward(self, x_BFTHW: Tensor, start_BFTHW: Tensor, where_B3THW: Tensor) -> Tensor:
        """Return what the block adds to `x`; `start` are the trunk's first features."""
        for layer in self.layers:
            x_BFTHW = layer(x_BFTHW)
        total = functional.elu(self.local(functional.elu(x_BFTHW)))
        if self.attention is not None and self.distant is not None:
            seen = self.attention(torch.cat([x_BFTHW, start_BFTHW, where_B3THW], dim=1))
            total = total + functional.elu(self.distant(functional.elu(seen)))
        return functional.elu(self.out(functional.elu(total)))


class Trunk(nn.Module):
    """Blocks with an outer skip, then a 1x1x1 convolution to logits."""

    def __init__(
        self,
        channels: int,
        blocks: int,
        layers: int,
        convolution: Convolution,
        attention: Attention | None,
        grid: Grid,
        codes: int,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(channels, layers, convolution, attention) for _ in range(blocks)
        )
        self.head = nn.Conv3d(channels, codes, 1)
        self.register_buffer("where", coordinates(grid), persistent=False)

    where: Tensor  # (3,T,H,W)

    def each_block(self) -> Iterator[Block]:
        """Yield the blocks, first to last."""
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def forward(self, start_BFTHW: Tensor) -> Tensor:
        """Return logits: (B,F,t,H,W) -> (B,K,t,H,W), for the first t code-frames of the grid."""
        frames = start_BFTHW.shape[2]
        where = self.where[:, :frames].expand(len(start_BFTHW), -1, -1, -1, -1)
        x = start_BFTHW
        for block in self.each_block():
            x = x + block(x, start_BFTHW, where)
        logits: Tensor = self.head(self.close(x))
        return logits

    def close(self, x: Tensor) -> Tensor:
        """Return what the head reads of the last features, of any shape."""
        return x
