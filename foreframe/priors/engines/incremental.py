"""The incremental engine: a step computes its own positions and nothing again.

Every layer keeps the inputs it has seen. A new position passes through the network once: each
convolution gathers the kept inputs at its live taps, attention looks at kept keys and values, and
the input layer looks up the few codes it sees. Masked taps, later positions and earlier positions
cost nothing. A step may hold one position, a wave, or a stretch of given codes.

Shapes: B clips, N = T*H*W positions in raster order, M = N + 1 (the last one is outside the grid,
and zero), P positions of a step, F channels, D key and E value channels, O offsets, K codes.
"""

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks.attention import CausalAttention
from foreframe.networks.causal import CausalConv3d, CausalEmbedding, Offset
from foreframe.networks.snail import Block, GatedResidualLayer
from foreframe.priors import Grid, Prior
from foreframe.priors.engines import Engine, Step, schedule
from foreframe.priors.snail import SnailPrior

GATHERED = 2**23  # bytes that one layer may gather at once while the given codes are read


class Incremental(Engine):
    """Positions one by one, in raster order."""

    prior: SnailPrior

    def __init__(
        self, prior: SnailPrior, codes_BM: Tensor, start: int, condition: Tensor | None
    ) -> None:
        super().__init__(prior, codes_BM, start, condition)
        self._neighbours = _Neighbours(prior.grid, codes_BM.device)
        self._input = _Input(prior.input, codes_BM, condition)
        where_N3 = prior.trunk.where.flatten(1).T.contiguous()
        self._blocks = [
            _CachedBlock(block, codes_BM, where_N3) for block in prior.trunk.each_block()
        ]
        self._head = _pointwise(prior.trunk.head)
        self._read(start)

    @classmethod
    def bytes_per_clip(cls, prior: Prior) -> int:
        """Return the bytes of the inputs that all layers keep."""
        assert isinstance(prior, SnailPrior)
        channels = 0
        for module in prior.trunk.modules():
            if isinstance(module, CausalConv3d):
                channels += module.weight.shape[1]
            elif isinstance(module, CausalAttention):
                channels += module.key.out_channels + module.value.out_channels
        count = prior.grid[0] * prior.grid[1] * prior.grid[2]
        return count * channels * prior.trunk.head.weight.element_size()

    @property
    def replayable(self) -> bool:
        """Return whether the device can record a step."""
        return self.codes_BM.is_cuda

    def schedule(self) -> list[Step]:
        """Return one step for each position."""
        return schedule.one_by_one(self.prior.grid, self.start, self.codes_BM.device)

    def logits(self, step: Step) -> Tensor:
        """Return logits (B,P,K) for the step's positions, and keep what later ones need."""
        return functional.linear(self._features(step), *self._head)

    def _read(self, count: int) -> None:
        """Keep what the first `count` positions, whose codes are given, leave for later ones."""
        size = self._stretch()
        for first in range(0, count, size):
            after = min(first + size, count)
            positions_P = torch.arange(first, after, device=self.codes_BM.device)
            self._features(Step(positions_P, after - 1))

    def _stretch(self) -> int:
        layers = [
            module for module in self.prior.trunk.modules() if isinstance(module, CausalConv3d)
        ]
        floats = max(layer.weight.shape[1] * len(layer.offsets()) for layer in layers)
        size = self.prior.trunk.head.weight.element_size() * len(self.codes_BM)
        return max(1, GATHERED // (floats * size))

    def _features(self, step: Step) -> Tensor:
        seen = self._neighbours.at(step.positions)
        start_BPF = self._input(step, seen)
        x_BPF = start_BPF
        for block in self._blocks:
            x_BPF = x_BPF + block(x_BPF, start_BPF, step, seen)
        return x_BPF


class _Neighbours:
    """Tables of the positions that kernels see; each is made once, however many layers use it."""

    def __init__(self, grid: Grid, device: torch.device) -> None:
        self._grid = grid
        self._device = device
        self._tables: dict[tuple[Offset, ...], Tensor] = {}

    def at(self, positions_P: Tensor) -> "_Seen":
        return _Seen(self, positions_P)

    def table(self, offsets: tuple[Offset, ...]) -> Tensor:
        """Return the table (N,O) of a kernel."""
        if offsets not in self._tables:
            table = torch.from_numpy(schedule.neighbours(self._grid, offsets))
            self._tables[offsets] = table.to(self._device)
        return self._tables[offsets]


class _Seen:
    """The positions that kernels see from the positions of one step."""

    def __init__(self, neighbours: _Neighbours, positions_P: Tensor) -> None:
        self._neighbours = neighbours
        self._positions = positions_P
        self._found: dict[tuple[Offset, ...], Tensor] = {}

    def through(self, offsets: tuple[Offset, ...]) -> Tensor:
        """Return the positions at a kernel's offsets: (P*O,), those of a position together."""
        if offsets not in self._found:
            table = self._neighbours.table(offsets)
            self._found[offsets] = table.index_select(0, self._positions).flatten()
        return self._found[offsets]


class _Input:
    """The input layer: one vector for each code it sees, their sum, and the condition."""

    def __init__(self, layer: CausalEmbedding, codes_BM: Tensor, condition: Tensor | None) -> None:
        tables = layer.tables()
        self._offsets = tuple(layer.offsets())
        self._codes_BM = codes_BM
        self._vectors = tables.flatten(0, 1).contiguous()  # a code's vector for offset o is in
        self._first_O = torch.arange(len(tables), device=tables.device) * tables.shape[1]  # row o
        self._bias_F = layer.bias
        self._condition_BNF = None if condition is None else condition.flatten(2).transpose(1, 2)

    def __call__(self, step: Step, seen: _Seen) -> Tensor:
        positions = seen.through(self._offsets)
        codes_BPO = self._codes_BM.index_select(1, positions).unflatten(1, (-1, len(self._offsets)))
        vectors_BPOF = functional.embedding(codes_BPO + self._first_O, self._vectors)
        start_BPF = vectors_BPOF.sum(dim=2) + self._bias_F
        if self._condition_BNF is None:
            return start_BPF
        return start_BPF + self._condition_BNF.index_select(1, step.positions)


class _Convolution:
    """A causal convolution that keeps its inputs."""

    def __init__(self, layer: CausalConv3d, codes_BM: Tensor) -> None:
        taps_OFC = layer.taps()
        self._offsets = tuple(layer.offsets())
        # One row for each output: its weights of the first tap, then of the second, and so on.
        self._weight = taps_OFC.transpose(0, 1).flatten(1).contiguous()
        self._bias = layer.bias
        self._kept_BMC = self._weight.new_zeros(*codes_BM.shape, layer.weight.shape[1])

    def __call__(self, inputs_BPC: Tensor, step: Step, seen: _Seen) -> Tensor:
        self._kept_BMC.index_copy_(1, step.positions, inputs_BPC)
        gathered = self._kept_BMC.index_select(1, seen.through(self._offsets))
        taps_BPX = gathered.reshape(*inputs_BPC.shape[:2], -1)
        return functional.linear(taps_BPX, self._weight, self._bias)


class _Layer:
    """A gated residual layer; see `GatedResidualLayer`."""

    def __init__(self, layer: GatedResidualLayer, codes_BM: Tensor) -> None:
        assert isinstance(layer.first, CausalConv3d) and isinstance(layer.second, CausalConv3d)
        self._first = _Convolution(layer.first, codes_BM)
        self._second = _Convolution(layer.second, codes_BM)

    def __call__(self, x_BPF: Tensor, step: Step, seen: _Seen) -> Tensor:
        hidden = functional.elu(self._first(functional.elu(x_BPF), step, seen))
        return x_BPF + functional.glu(self._second(hidden, step, seen), dim=-1)


class _CachedBlock:
    """A block; see `Block`."""

    def __init__(self, block: Block, codes_BM: Tensor, where_N3: Tensor) -> None:
        self._layers = [
            _Layer(layer, codes_BM)
            for layer in block.layers
            if isinstance(layer, GatedResidualLayer)
        ]
        self._local, self._out = _pointwise(block.local), _pointwise(block.out)
        self._attention = None
        if block.attention is not None and block.distant is not None:
            self._attention = _Attention(block.attention, codes_BM)
            self._distant = _pointwise(block.distant)
        self._where_N3 = where_N3

    def __call__(self, x_BPF: Tensor, start_BPF: Tensor, step: Step, seen: _Seen) -> Tensor:
        for layer in self._layers:
            x_BPF = layer(x_BPF, step, seen)
        total = functional.elu(functional.linear(functional.elu(x_BPF), *self._local))
        if self._attention is not None:
            where_P3 = self._where_N3.index_select(0, step.positions)
            where_BP3 = where_P3.expand(len(x_BPF), -1, -1)
            found = self._attention(torch.cat([x_BPF, start_BPF, where_BP3], dim=-1), step)
            distant = functional.linear(functional.elu(found), *self._distant)
            total = total + functional.elu(distant)
        return functional.elu(functional.linear(functional.elu(total), *self._out))


class _Attention:
    """Attention that keeps its keys and values; see `CausalAttention`."""

    def __init__(self, attention: CausalAttention, codes_BM: Tensor) -> None:
        parts = [_pointwise(part) for part in (attention.query, attention.key, attention.value)]
        # All three look at the same input: one product instead of three.
        self._weight = torch.cat([weight for weight, _ in parts])
        self._bias = torch.cat([bias for _, bias in parts])
        self._sizes = [len(bias) for _, bias in parts]
        self._scale = attention.scale
        batch, count = len(codes_BM), codes_BM.shape[1] - 1
        self._keys_BND = self._weight.new_zeros(batch, count, self._sizes[1])
        self._values_BNE = self._weight.new_zeros(batch, count, self._sizes[2])

    def __call__(self, inputs_BPC: Tensor, step: Step) -> Tensor:
        found = functional.linear(inputs_BPC, self._weight, self._bias)
        query_BPD, key_BPD, value_BPE = found.split(self._sizes, dim=-1)
        self._keys_BND.index_copy_(1, step.positions, key_BPD)
        self._values_BNE.index_copy_(1, step.positions, value_BPE)
        # Keys from the last position on are seen by none of the step's positions.
        keys_BnD, values_BnE = self._keys_BND[:, : step.last], self._values_BNE[:, : step.last]
        scores_BPn = query_BPD @ keys_BnD.transpose(1, 2) * self._scale
        later_Pn = torch.arange(step.last, device=scores_BPn.device) >= step.positions[:, None]
        weights_BPn = scores_BPn.masked_fill(later_Pn, -torch.inf).softmax(dim=-1)
        # Filled once more, because a softmax over nothing (the first position) is not a number.
        return weights_BPn.masked_fill(later_Pn, 0) @ values_BnE


def _pointwise(layer: torch.nn.Conv3d) -> tuple[Tensor, Tensor]:
    """Return the matrix (outputs, inputs) and the bias of a 1x1x1 convolution."""
    assert layer.bias is not None
    return layer.weight.flatten(1), layer.bias
