"""The engine of kept keys and values: a step computes its own positions, for transformers.

A position's keys and values depend on nothing after it, so each block keeps them. A new position
passes through the network once, and costs the same wherever it is but for the number of keys that
its queries meet.

Shapes: B clips, N = T*H*W positions in raster order, M = N + 1 (see `engines`), P positions of a
step, n those up to the last of them, F features, G heads, D features of a head, K codes.
"""

import functools
import math

import torch
from torch import Tensor, nn

from foreframe.priors import AutoregressivePrior
from foreframe.priors.engines import Engine, Step, schedule
from foreframe.priors.transformer import TransformerPrior

SCORED = 2**25  # bytes of scores that one block may hold while the given codes are read


class KeyValue(Engine):
    """Positions one by one, in raster order."""

    prior: TransformerPrior

    def __init__(
        self, prior: TransformerPrior, codes_BM: Tensor, start: int, condition: Tensor | None
    ) -> None:
        super().__init__(prior, codes_BM, start, condition)
        self._where_NF = prior.positions(prior.grid[0]).flatten(0, 2)
        self._condition_BNF = None if condition is None else condition.flatten(1, 3)
        self._every_N = torch.arange(len(self._where_NF), device=codes_BM.device)
        decoder, like_BNF = prior.decoder, self._where_NF.expand(len(codes_BM), -1, -1)
        self._kept = [Kept(decoder.heads, like_BNF) for _ in decoder.each_block()]
        self._read(start)

    @classmethod
    def serves(cls, prior: AutoregressivePrior) -> bool:
        """Return whether the prior is a transformer over the codes before each position."""
        return isinstance(prior, TransformerPrior)

    @classmethod
    def bytes_per_clip(cls, prior: AutoregressivePrior) -> int:
        """Return the bytes of the keys and values that all blocks keep."""
        assert isinstance(prior, TransformerPrior)
        count = prior.grid[0] * prior.grid[1] * prior.grid[2]
        head = prior.decoder.head
        return 2 * len(prior.decoder.blocks) * count * head.in_features * head.weight.element_size()

    @property
    def replayable(self) -> bool:
        """Return whether the device can record a step."""
        return self.codes_BM.is_cuda

    def schedule(self) -> list[Step]:
        """Return one step for each position."""
        return schedule.one_by_one(self.prior.grid, self.start, self.codes_BM.device)

    def logits(self, step: Step) -> Tensor:
        """Return logits (B,P,K) for the step's positions, and keep what later ones need."""
        return self.prior.decoder.logits(self._features(step))

    def _read(self, count: int) -> None:
        """Keep what the first `count` positions, whose codes are given, leave for later ones."""
        size = self._stretch()
        for first in range(0, count, size):
            after = min(first + size, count)
            self._features(Step(self._every_N[first:after], after - 1))

    def _stretch(self) -> int:
        scores = len(self.codes_BM) * self.prior.decoder.heads * len(self._every_N)
        return max(1, SCORED // (scores * self._where_NF.element_size()))

    def _features(self, step: Step) -> Tensor:
        # Before the first position is the last column, which holds K: nothing, here as there.
        before_P = (step.positions - 1) % self.codes_BM.shape[1]
        x_BPF = self.prior.code(self.codes_BM.index_select(1, before_P))
        x_BPF = x_BPF + self._where_NF.index_select(0, step.positions)
        if self._condition_BNF is not None:
            x_BPF = x_BPF + self._condition_BNF.index_select(1, step.positions)
        later_Pn = self._every_N[: step.last + 1] > step.positions[:, None]
        looks = [functools.partial(kept.look, step, later_Pn) for kept in self._kept]
        return self.prior.decoder.features(x_BPF, looks)


class Kept:
    """The keys and values of one block."""

    def __init__(self, heads: int, like_BNF: Tensor) -> None:
        batch, count, width = like_BNF.shape
        self._keys_BGND = like_BNF.new_zeros(batch, heads, count, width // heads)
        self._values_BGND = torch.zeros_like(self._keys_BGND)

    def look(
        self, step: Step, later_Pn: Tensor, query_BGPD: Tensor, key_BGPD: Tensor, value_BGPD: Tensor
    ) -> Tensor:
        """Keep keys and values; return what the queries find at their positions and before."""
        self._keys_BGND.index_copy_(2, step.positions, key_BGPD)
        self._values_BGND.index_copy_(2, step.positions, value_BGPD)
        keys_BGnD = self._keys_BGND[:, :, : step.last + 1]
        scores_BGPn = query_BGPD @ keys_BGnD.transpose(2, 3) / math.sqrt(query_BGPD.shape[3])
        weights_BGPn = scores_BGPn.masked_fill(later_Pn, -torch.inf).softmax(dim=-1)
        return weights_BGPn @ self._values_BGND[:, :, : step.last + 1]


def positions(prior: TransformerPrior, first: int, after: int) -> int:
    """Return the operations that a stretch of positions takes, less those of `logits`.

    As in `operations`: a multiply-add is two. A position meets its own key and those before it.
    """
    decoder = prior.decoder
    layers = [module for module in decoder.blocks.modules() if isinstance(module, nn.Linear)]
    fixed = sum(2 * layer.out_features * layer.in_features for layer in layers)
    met = (after * (after + 1) - first * (first + 1)) // 2  # (first + 1) + ... + after
    return (after - first) * fixed + 4 * met * decoder.head.in_features * len(decoder.blocks)


def head(prior: TransformerPrior) -> int:
    """Return the operations of one position's logits, after the blocks."""
    return 2 * prior.decoder.head.in_features * prior.decoder.head.out_features
