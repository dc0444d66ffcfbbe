"""A causal transformer: each position looks at itself and at those before it, in raster order.

Blocks of attention and a GELU layer (Vaswani et al. 2017; Hendrycks and Gimpel 2016), each behind
its layer normalisation and added to what it began with, as in GPT-2 (Radford et al. 2019) and in
the prior of VideoGPT (Yan et al. 2021). Where attention looks is given to a block, so that keys and
values can be kept from one position to the next.

Shapes: B batch, N positions, F features, G heads, D = F / G features of a head, t T H W code grid,
K codes.
"""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers

DEVIATION = 0.02  # of what tables begin with (Radford et al. 2018, 4.1)

# What positions find (B,G,N,D) with their queries; keys and values are their own. All (B,G,N,D).
Look = Callable[[Tensor, Tensor, Tensor], Tensor]


def causal(query_BGND: Tensor, key_BGND: Tensor, value_BGND: Tensor) -> Tensor:
    """Return softmax(q k / sqrt(D)) v over each position and those before it: (B,G,N,D)."""
    # Heads apart, so that torch has a kernel that never holds all N * N scores. In the strict mode
    # that stages run in its gradient is deterministic on a GPU too.
    return functional.scaled_dot_product_attention(query_BGND, key_BGND, value_BGND, is_causal=True)


class Embedding(nn.Embedding):
    """A table of vectors that begin as N(0, 0.02^2)."""

    def draw(self, numbers: Numbers) -> None:
        """Draw the table."""
        self.weight.copy_(DEVIATION * numbers.normal(self.weight.shape))


class AxialPositions(nn.Module):
    """Where a position is: learned vectors of its frame, its row and its column, added up."""

    def __init__(self, grid: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.frame, self.row, self.column = (Embedding(size, width) for size in grid)

    def forward(self, frames: int) -> Tensor:
        """Return the vectors (t,H,W,F) of the first code-frames of the grid."""
        frame_t11F = self.frame.weight[:frames, None, None]
        return frame_t11F + self.row.weight[:, None] + self.column.weight


class SelfAttention(nn.Module):
    """Attention with several heads; queries, keys and values are one product."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x_BNF: Tensor, look: Look) -> Tensor:
        """Return (B,N,F)."""
        each = self.project(x_BNF).chunk(3, dim=-1)
        query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in each)
        found: Tensor = self.out(look(query, key, value).transpose(1, 2).flatten(2))
        return found


class Block(Recomputed):
    """x + attention(norm(x)), then y + mlp(norm(y))."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width)
        )

    def forward(self, x_BNF: Tensor, look: Look) -> Tensor:
        """Return a tensor of the input's shape."""
        y_BNF = x_BNF + self.attention(self.attention_norm(x_BNF), look)
        result: Tensor = y_BNF + self.mlp(self.mlp_norm(y_BNF))
        return result


class Decoder(nn.Module):
    """Blocks, a last normalisation, and a layer to the logits of K codes."""

    def __init__(self, width: int, heads: int, layers: int, ratio: int, codes: int) -> None:
        super().__init__()
        self.heads = heads
        self.blocks = nn.ModuleList(Block(width, heads, ratio) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, codes)

    def each_block(self) -> Iterator[Block]:
        """Yield the blocks, first to last."""
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def features(self, x_BNF: Tensor, looks: Sequence[Look]) -> Tensor:
        """Return what the blocks make of the first features, each with its own way to look."""
        for block, look in zip(self.each_block(), looks, strict=True):
            x_BNF = block(x_BNF, look)
        return x_BNF

    def logits(self, x_BNF: Tensor) -> Tensor:
        """Return logits (B,N,K) of the last block's features."""
        result: Tensor = self.head(self.norm(x_BNF))
        return result

    def forward(self, x_BNF: Tensor) -> Tensor:
        """Return logits (B,N,K) of positions that look at one another."""
        return self.logits(self.features(x_BNF, [causal] * len(self.blocks)))
