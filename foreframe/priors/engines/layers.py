"""The layers of a trunk, each keeping what later positions need: what the fast engines are made of.

Every layer keeps the inputs it has seen. A new position passes through the network once: each
convolution gathers the kept inputs at its live taps, attention looks at kept keys and values, and
the input layer looks up the few codes it sees. Masked taps, later positions and earlier positions
cost nothing.

Shapes: B clips, N = T*H*W positions in raster order, M = N + 1 (the last one is outside the grid,
and zero), P positions of a step, F channels, D key and E value channels, O offsets, K codes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.attention import CausalAttention, CausalHeads
from foreframe.networks.causal import CausalConv3d, LookUp, Offset
from foreframe.networks.image_snail import PixelBlock
from foreframe.networks.snail import Block, GatedResidualLayer
from foreframe.priors import Grid
from foreframe.priors.engines import Step, schedule

Offsets = tuple[Offset, ...]


class Neighbours:
    """Tables of the positions that kernels see; each is made once, however many layers use it."""

    def __init__(self, grid: Grid, codes_BM: Tensor) -> None:
        self._grid = grid
        # Where each clip begins when the positions of all clips are counted on.
        batch, self._stride = codes_BM.shape
        self._firsts_B1 = torch.arange(batch, device=codes_BM.device)[:, None] * self._stride
        self._tables: dict[Offsets, Tensor] = {}

    def through(self, offsets: Offsets, positions_P: Tensor) -> Tensor:
        """Return where positions see at a kernel's offsets: (B*P*O,), counted over all clips."""
        if offsets not in self._tables:
            table_NO = torch.from_numpy(schedule.neighbours(self._grid, offsets))
            self._tables[offsets] = table_NO.to(positions_P.device)
        seen_X = self._tables[offsets].index_select(0, positions_P).flatten()
        return (self._firsts_B1 + seen_X).flatten()


class Seen:
    """What kernels see from the positions of one step; `column` is None or that of the only one.

    A column is given by an engine that has prepared the column's row.
    """

    def __init__(
        self, neighbours: Neighbours, positions_P: Tensor, column: int | None = None
    ) -> None:
        self._neighbours = neighbours
        self._positions = positions_P
        self._found: dict[Offsets, Tensor] = {}
        self.column = column

    def through(self, offsets: Offsets) -> Tensor:
        """Return the positions at a kernel's offsets (B*P*O,); see `Neighbours.through`."""
        if offsets not in self._found:
            self._found[offsets] = self._neighbours.through(offsets, self._positions)
        return self._found[offsets]


@dataclass(frozen=True)
class Beside:
    """What blocks are told beside the features of the step's positions.

    Attributes:
        start: the trunk's first features (B,P,F).
        where: the positions' coordinates (B,P,2 or 3).
        condition: what each layer is told of the levels above (B,P,C); None: nothing.
    """

    start: Tensor
    where: Tensor
    condition: Tensor | None

    def only(self) -> "Beside":
        """Return this without the axis of positions, of which there is one."""
        condition = None if self.condition is None else self.condition[:, 0]
        return Beside(self.start[:, 0], self.where[:, 0], condition)


class Input:
    """The input layer: one vector for each code it sees, and their sum."""

    def __init__(self, layer: LookUp, codes_BM: Tensor) -> None:
        tables = layer.tables()
        self._offsets = tuple(layer.offsets())
        self._codes_BM = codes_BM
        self._vectors = tables.flatten(0, 1).contiguous()  # a code's vector for offset o is in
        self._first_O = torch.arange(len(tables), device=tables.device) * tables.shape[1]  # row o
        self._bias_F = layer.shift

    def __call__(self, seen: Seen) -> Tensor:
        """Return the sum (B,P,F)."""
        codes = self._codes_BM.flatten().index_select(0, seen.through(self._offsets))
        codes_BPO = codes.view(len(self._codes_BM), -1, len(self._offsets))
        vectors_BPOF = functional.embedding(codes_BPO + self._first_O, self._vectors)
        return vectors_BPOF.sum(dim=2) + self._bias_F


class Pointwise:
    """A 1x1x1 convolution: a product of its matrix and each position's features."""

    def __init__(self, *layers: nn.Conv3d) -> None:
        # Layers that look at the same input are one product.
        self._weight_FC = torch.cat([layer.weight.flatten(1) for layer in layers])
        self._bias_F = torch.cat([_bias(layer) for layer in layers])

    def __call__(self, inputs_BPC: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return (B,P,F)."""
        return functional.linear(inputs_BPC, self._weight_FC, self._bias_F)


class Convolution:
    """A causal convolution that keeps its inputs."""

    def __init__(self, layer: CausalConv3d, codes_BM: Tensor) -> None:
        self._offsets = tuple(layer.offsets())
        # One row for each output: its weights of the first tap, then of the second, and so on.
        self._weight_FX = layer.taps().transpose(0, 1).flatten(1).contiguous()
        self._bias_F = layer.bias
        self._kept_BMC = self._weight_FX.new_zeros(*codes_BM.shape, layer.weight.shape[1])

    def __call__(self, inputs_BPC: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return (B,P,F)."""
        self._kept_BMC.index_copy_(1, step.positions, inputs_BPC)
        taps_BPX = self._gather(self._offsets, seen)
        return functional.linear(taps_BPX, self._weight_FX, self._bias_F)

    def _gather(self, offsets: Offsets, seen: Seen) -> Tensor:
        """Return the kept inputs at a kernel's offsets, those of a position in a row: (B,P,O*C)."""
        batch, _, channels = self._kept_BMC.shape
        gathered = self._kept_BMC.flatten(0, 1).index_select(0, seen.through(offsets))
        return gathered.view(batch, -1, len(offsets) * channels)


class Attention:
    """Attention that keeps its keys and values; see `CausalAttention`."""

    def __init__(self, attention: CausalAttention, project: Pointwise, codes_BM: Tensor) -> None:
        self._project = project
        self._sizes = [attention.query.out_channels, attention.key.out_channels]
        self._sizes.append(attention.value.out_channels)
        self._scale = attention.scale
        batch, count = len(codes_BM), codes_BM.shape[1] - 1
        self._keys_BND = attention.key.weight.new_zeros(batch, count, self._sizes[1])
        self._values_BNE = attention.key.weight.new_zeros(batch, count, self._sizes[2])

    def __call__(self, inputs_BPC: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return (B,P,E)."""
        found = self._project(inputs_BPC, step, seen)
        query_BPD, key_BPD, value_BPE = found.split(self._sizes, dim=-1)
        self._keys_BND.index_copy_(1, step.positions, key_BPD)
        self._values_BNE.index_copy_(1, step.positions, value_BPE)
        # Keys from the last position on are seen by none of the step's positions.
        keys_BnD = self._keys_BND[:, : step.last]
        scores_BPn = query_BPD @ keys_BnD.transpose(1, 2) * self._scale
        return self._look(scores_BPn, step, seen)

    def _look(self, scores_BPn: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return the values of earlier positions, weighted by their scores: (B,P,E)."""
        later_Pn = torch.arange(step.last, device=scores_BPn.device) >= step.positions[:, None]
        weights_BPn = scores_BPn.masked_fill(later_Pn, -torch.inf).softmax(dim=-1)
        # Filled once more, because a softmax over nothing (the first position) is not a number.
        return weights_BPn.masked_fill(later_Pn, 0) @ self._values_BNE[:, : step.last]


class HeadsAttention:
    """Attention of several heads that keeps their keys and values; see `CausalHeads`.

    G heads of D channels each; Q features that queries are made of.
    """

    def __init__(self, layer: CausalHeads, parts: "Parts") -> None:
        self._query = parts.pointwise(layer.query)
        self._keep = parts.pointwise(layer.key, layer.value)
        self._heads = layer.heads
        batch, count = len(parts.codes_BM), parts.codes_BM.shape[1] - 1
        size = layer.key.out_channels // self._heads
        self._scale = size**-0.5
        self._keys_BGND = layer.key.weight.new_zeros(batch, self._heads, count, size)
        self._values_BGND = torch.zeros_like(self._keys_BGND)

    def __call__(self, queries: Tensor, inputs: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return (B,P,E) for queries (B,P,Q) and inputs (B,P,C); all of them may lack P."""
        key, value = self._keep(inputs, step, seen).chunk(2, dim=-1)
        self._keys_BGND.index_copy_(2, step.positions, self._apart(key))
        self._values_BGND.index_copy_(2, step.positions, self._apart(value))
        query_BGPD = self._apart(self._query(queries, step, seen)) * self._scale
        # Keys from the last position on are seen by none of the step's positions.
        scores_BGPn = query_BGPD @ self._keys_BGND[:, :, : step.last].transpose(2, 3)
        later_Pn = torch.arange(step.last, device=scores_BGPn.device) >= step.positions[:, None]
        weights_BGPn = scores_BGPn.masked_fill(later_Pn, -torch.inf).softmax(dim=-1)
        # Filled once more, because a softmax over nothing (the first position) is not a number.
        weights_BGPn = weights_BGPn.masked_fill(later_Pn, 0)
        found_BGPD = weights_BGPn @ self._values_BGND[:, :, : step.last]
        return found_BGPD.transpose(1, 2).reshape(*queries.shape[:-1], -1)

    def _apart(self, features: Tensor) -> Tensor:
        """Return features (B,P,G*D) or (B,G*D) by heads: (B,G,P,D)."""
        size = features.shape[-1] // self._heads
        return features.view(len(features), -1, self._heads, size).transpose(1, 2)


class Parts:
    """Makes the layers that keep; an engine with other ways of computing them makes others."""

    def __init__(self, codes_BM: Tensor) -> None:
        self.codes_BM = codes_BM

    def layer(self, layer: nn.Module) -> "Convolution | Pointwise":
        """Return a causal convolution, or a 1x1x1 one."""
        if isinstance(layer, CausalConv3d):
            return self.convolution(layer)
        assert isinstance(layer, nn.Conv3d)
        return self.pointwise(layer)

    def convolution(self, layer: CausalConv3d) -> Convolution:
        """Return a convolution that keeps its inputs."""
        return Convolution(layer, self.codes_BM)

    def pointwise(self, *layers: nn.Conv3d) -> Pointwise:
        """Return one product for 1x1x1 convolutions of the same input."""
        return Pointwise(*layers)

    def attention(self, layer: CausalAttention) -> Attention:
        """Return attention that keeps its keys and values."""
        project = self.pointwise(layer.query, layer.key, layer.value)
        return Attention(layer, project, self.codes_BM)


class Layer:
    """A gated residual layer; see `GatedResidualLayer`."""

    def __init__(self, layer: GatedResidualLayer, parts: Parts) -> None:
        self._first = parts.layer(layer.first)
        self._second = parts.layer(layer.second)
        self._aside = None if layer.aside is None else parts.pointwise(layer.aside)
        self._condition = None if layer.condition is None else parts.pointwise(layer.condition)

    def __call__(
        self,
        x_BPF: Tensor,
        step: Step,
        seen: Seen,
        aside_BPA: Tensor | None = None,
        condition_BPC: Tensor | None = None,
    ) -> Tensor:
        """Return (B,P,F)."""
        hidden = self._first(functional.elu(x_BPF), step, seen)
        if self._aside is not None and aside_BPA is not None:
            hidden = hidden + self._aside(functional.elu(aside_BPA), step, seen)
        gated = self._second(functional.elu(hidden), step, seen)
        if self._condition is not None and condition_BPC is not None:
            gated = gated + self._condition(condition_BPC, step, seen)
        return x_BPF + functional.glu(gated, dim=-1)


class CachedBlock(ABC):
    """A block of a trunk whose layers keep."""

    @abstractmethod
    def __call__(self, x_BPF: Tensor, beside: Beside, step: Step, seen: Seen) -> Tensor:
        """Return what the next block reads (B,P,F)."""


class SnailBlock(CachedBlock):
    """See `snail.Block`."""

    def __init__(self, block: Block, parts: Parts) -> None:
        self._layers = [Layer(layer, parts) for layer in gated(block)]
        self._local, self._out = parts.pointwise(block.local), parts.pointwise(block.out)
        self._attention = None
        if block.attention is not None and block.distant is not None:
            self._attention = parts.attention(block.attention)
            self._distant = parts.pointwise(block.distant)

    def __call__(self, x_BPF: Tensor, beside: Beside, step: Step, seen: Seen) -> Tensor:
        """Return (B,P,F)."""
        begun_BPF = x_BPF
        for layer in self._layers:
            x_BPF = layer(x_BPF, step, seen)
        total = functional.elu(self._local(functional.elu(x_BPF), step, seen))
        if self._attention is not None:
            joined = torch.cat([x_BPF, beside.start, beside.where], dim=-1)
            found = self._attention(joined, step, seen)
            total = total + functional.elu(self._distant(functional.elu(found), step, seen))
        return begun_BPF + functional.elu(self._out(functional.elu(total), step, seen))


class ImageBlock(CachedBlock):
    """See `image_snail.PixelBlock`."""

    def __init__(self, block: PixelBlock, parts: Parts) -> None:
        self._layers = [Layer(layer, parts) for layer in gated(block)]
        self._out = None if block.out is None else parts.pointwise(block.out)
        if block.attention is not None:
            back = block.attention
            self._keys, self._queries = Layer(back.keys, parts), Layer(back.queries, parts)
            self._attention = HeadsAttention(back.attention, parts)
            self._join = Layer(back.join, parts)

    def __call__(self, x_BPF: Tensor, beside: Beside, step: Step, seen: Seen) -> Tensor:
        """Return (B,P,F)."""
        begun_BPF = x_BPF
        for layer in self._layers:
            x_BPF = layer(x_BPF, step, seen, None, beside.condition)
        told = torch.cat([x_BPF, beside.where], dim=-1)
        if self._out is not None:
            return self._out(told, step, seen)
        keys = self._keys(torch.cat([begun_BPF, told], dim=-1), step, seen)
        found = self._attention(self._queries(told, step, seen), keys, step, seen)
        return self._join(x_BPF, step, seen, found)


def cached(block: Block | PixelBlock, parts: Parts) -> CachedBlock:
    """Return a block whose layers keep."""
    return SnailBlock(block, parts) if isinstance(block, Block) else ImageBlock(block, parts)


def gated(block: Block | PixelBlock) -> list[GatedResidualLayer]:
    """Return the gated layers that a block begins with."""
    return [layer for layer in block.layers if isinstance(layer, GatedResidualLayer)]


def _bias(layer: nn.Conv3d) -> Tensor:
    return layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias
