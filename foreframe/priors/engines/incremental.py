"""The incremental engine: a step computes its own positions and nothing again; see `layers`.

A step may hold one position, a wave, or a stretch of given codes.

Shapes: B clips, N = T*H*W positions in raster order, M = N + 1, P positions of a step, F channels,
K codes.
"""

import torch
from torch import Tensor

from foreframe.networks.attention import CausalAttention, CausalHeads
from foreframe.networks.causal import CausalConv3d
from foreframe.priors import AutoregressivePrior
from foreframe.priors.engines import Engine, Step, schedule
from foreframe.priors.engines.layers import Beside, Input, Neighbours, Parts, Seen, cached
from foreframe.priors.snail import SnailPrior

GATHERED = 2**23  # bytes that one layer may gather at once while the given codes are read


class Incremental(Engine):
    """Positions one by one, in raster order."""

    prior: SnailPrior

    def __init__(
        self, prior: SnailPrior, codes_BM: Tensor, start: int, condition: Tensor | None
    ) -> None:
        super().__init__(prior, codes_BM, start, condition)
        parts = self._parts()
        self._neighbours = Neighbours(prior.grid, codes_BM)
        self._input = Input(prior.input, codes_BM)
        self._condition_BNC = None if condition is None else condition.flatten(2).transpose(1, 2)
        self._where_NX = prior.trunk.where.flatten(1).T.contiguous()
        self._blocks = [cached(block, parts) for block in prior.trunk.each_block()]
        self._head = parts.pointwise(prior.trunk.head)
        self._read(start)

    @classmethod
    def serves(cls, prior: AutoregressivePrior) -> bool:
        """Return whether the prior is a trunk over looked-up codes."""
        return isinstance(prior, SnailPrior)

    @classmethod
    def bytes_per_clip(cls, prior: AutoregressivePrior) -> int:
        """Return the bytes of the inputs, keys and values that all layers keep."""
        assert isinstance(prior, SnailPrior)
        count = prior.grid[0] * prior.grid[1] * prior.grid[2]
        kept = 0
        for module in prior.trunk.modules():
            if isinstance(module, CausalConv3d):
                kept += (count + 1) * module.weight.shape[1]
            elif isinstance(module, CausalAttention | CausalHeads):
                kept += count * (module.key.out_channels + module.value.out_channels)
        return kept * prior.trunk.head.weight.element_size()

    @property
    def replayable(self) -> bool:
        """Return whether the device can record a step."""
        return self.codes_BM.is_cuda

    def schedule(self) -> list[Step]:
        """Return one step for each position."""
        return schedule.one_by_one(self.prior.grid, self.start, self.codes_BM.device)

    def logits(self, step: Step) -> Tensor:
        """Return logits (B,P,K) for the step's positions, and keep what later ones need."""
        return self._pass(step, Seen(self._neighbours, step.positions))

    def _parts(self) -> Parts:
        return Parts(self.codes_BM)

    def _pass(self, step: Step, seen: Seen) -> Tensor:
        return self._head(self.prior.trunk.close(self._features(step, seen)), step, seen)

    def _read(self, count: int) -> None:
        """Keep what the first `count` positions, whose codes are given, leave for later ones."""
        size = self._stretch()
        for first in range(0, count, size):
            after = min(first + size, count)
            positions_P = torch.arange(first, after, device=self.codes_BM.device)
            self._features(Step(positions_P, after - 1), Seen(self._neighbours, positions_P))

    def _stretch(self) -> int:
        layers = [
            module for module in self.prior.trunk.modules() if isinstance(module, CausalConv3d)
        ]
        floats = max(layer.weight.shape[1] * len(layer.offsets()) for layer in layers)
        size = self.prior.trunk.head.weight.element_size() * len(self.codes_BM)
        return max(1, GATHERED // (floats * size))

    def _features(self, step: Step, seen: Seen) -> Tensor:
        start_BPF, condition_BPC = self._input(seen), None
        if self._condition_BNC is not None:
            condition_BPC = self._condition_BNC.index_select(1, step.positions)
            if self.prior.adds_condition:
                start_BPF, condition_BPC = start_BPF + condition_BPC, None
        where_PX = self._where_NX.index_select(0, step.positions)
        where_BPX = where_PX.expand(len(start_BPF), -1, -1)
        return self._through(Beside(start_BPF, where_BPX, condition_BPC), step, seen)

    def _through(self, beside: Beside, step: Step, seen: Seen) -> Tensor:
        x_BPF = beside.start
        for block in self._blocks:
            x_BPF = block(x_BPF, beside, step, seen)
        return x_BPF
