"""The rowwise engine: one position at a time, after a whole row has been prepared at once.

Most taps of a kernel lie in rows before the position's own. Those rows are finished when a row
begins; so what they add to each output of the row is computed there and then, by one product of
matrices for each layer. A position reads only the weights of the taps in its own row: of a 2x2x2
kernel a quarter. With one clip, where reading weights takes most of the time, that is the gain.

For a CPU and priors with attention: the others are sampled in waves, and a GPU replays steps.

Shapes: B clips, N = T*H*W positions, W columns, P = 1 position, C inputs, F outputs, n own taps,
X = n*C, D key and E value channels, l earlier positions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.attention import CausalAttention
from foreframe.networks.causal import CausalConv3d
from foreframe.priors import AutoregressivePrior
from foreframe.priors.engines import Step
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.layers import (
    Attention,
    Beside,
    Convolution,
    Parts,
    Pointwise,
    Seen,
)
from foreframe.priors.snail import SnailPrior

# Rows that are added up by one thread. Fixed, so that a sum is the same for any number of threads.
BAG = 128


class Rowwise(Incremental):
    """Positions one by one, in raster order, each row prepared as a whole."""

    _rows: "_RowParts"
    _begun: int | None = None  # the row that is prepared

    @classmethod
    def serves(cls, prior: AutoregressivePrior) -> bool:
        """Return whether the prior is such a trunk, on a CPU: a GPU has no use for rows."""
        return isinstance(prior, SnailPrior) and prior.trunk.head.weight.device.type == "cpu"

    @classmethod
    def bytes_per_clip(cls, prior: AutoregressivePrior) -> int:
        """Return the bytes of what all layers keep, and of their inputs and outputs in a row."""
        assert isinstance(prior, SnailPrior)
        width, floats = prior.grid[2], 0
        for layer in prior.trunk.modules():
            if isinstance(layer, CausalConv3d):
                outputs, inputs = layer.weight.shape[:2]
                floats += (width + _reach(layer)) * inputs + width * outputs
        size = prior.trunk.head.weight.element_size()
        return super().bytes_per_clip(prior) + floats * size

    @property
    def replayable(self) -> bool:
        """Return False: the first position of a row is more work than the others."""
        return False

    def logits(self, step: Step) -> Tensor:
        """Return logits (B,1,K) for the step's position, and keep what later ones need."""
        row, column = divmod(step.last, self.prior.grid[2])
        if row != self._begun:
            self._begin(row)
        return self._pass(step, Seen(self._neighbours, step.positions, column))

    def _through(self, beside: Beside, step: Step, seen: Seen) -> Tensor:
        return super()._through(beside if seen.column is None else beside.only(), step, seen)

    def _pass(self, step: Step, seen: Seen) -> Tensor:
        return super()._pass(step, seen).unsqueeze(1)

    def _parts(self) -> Parts:
        self._rows = _RowParts(self.codes_BM, self.prior.grid[2])
        return self._rows

    def _begin(self, row: int) -> None:
        width = self.prior.grid[2]
        positions_W = torch.arange(width, device=self.codes_BM.device)
        seen = Seen(self._neighbours, row * width + positions_W)
        for convolution in self._rows.convolutions:
            if self._begun is not None:
                convolution.end(self._begun * width + positions_W)
            convolution.begin(row * width + positions_W, seen)
        self._begun = row


class _RowParts(Parts):
    """Makes layers that take a row's positions one by one after the row was prepared."""

    def __init__(self, codes_BM: Tensor, width: int) -> None:
        super().__init__(codes_BM)
        self._width = width
        self.convolutions: list[_RowConvolution] = []

    def convolution(self, layer: CausalConv3d) -> Convolution:
        self.convolutions.append(_RowConvolution(layer, self.codes_BM, self._width))
        return self.convolutions[-1]

    def pointwise(self, *layers: nn.Conv3d) -> Pointwise:
        return _RowPointwise(*layers)

    def attention(self, layer: CausalAttention) -> Attention:
        project = self.pointwise(layer.query, layer.key, layer.value)
        return _RowAttention(layer, project, self.codes_BM)


class _RowConvolution(Convolution):
    """A causal convolution that adds up earlier rows for a whole row at once."""

    def __init__(self, layer: CausalConv3d, codes_BM: Tensor, width: int) -> None:
        super().__init__(layer, codes_BM)
        batch, outputs, inputs = len(codes_BM), *layer.weight.shape[:2]
        own, reach = _own(layer), _reach(layer)
        far = len(self._offsets) - own  # offsets are in raster order: the own row comes last
        self._above = self._offsets[:far]
        self._above_weight_FY = self._weight_FX[:, : far * inputs]
        self._own = _Product(self._weight_FX[:, far * inputs :])
        # The row's inputs after zeros, which stand for what is left of the grid.
        self._row_BVC = self._weight_FX.new_zeros(batch, reach + width, inputs)
        self._ahead_BWF = self._weight_FX.new_empty(batch, width, outputs)
        self._inputs_BWC = self._row_BVC[:, reach:]
        # Views for each column, made once: where its input goes, its taps, and what is ahead.
        self._columns = [
            (
                self._inputs_BWC[:, column],
                self._row_BVC[:, column : column + own].flatten(1),
                self._ahead_BWF[:, column],
            )
            for column in range(width)
        ]

    def begin(self, positions_W: Tensor, seen: Seen) -> None:
        """Add up what earlier rows give to the positions of a row."""
        # The row may begin with given codes.
        self._inputs_BWC.copy_(self._kept_BMC.index_select(1, positions_W))
        if self._above:
            taps_BWY = self._gather(self._above, seen)
            above = functional.linear(taps_BWY, self._above_weight_FY, self._bias_F)
            self._ahead_BWF.copy_(above)
        else:
            self._ahead_BWF.copy_(self._bias_F.expand_as(self._ahead_BWF))

    def end(self, positions_W: Tensor) -> None:
        """Keep the inputs of a finished row."""
        self._kept_BMC.index_copy_(1, positions_W, self._inputs_BWC)

    def __call__(self, inputs: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return (B,F) for inputs (B,C) of a column, or (B,P,F) for (B,P,C)."""
        if seen.column is None:
            return super().__call__(inputs, step, seen)
        place_BC, taps_BX, ahead_BF = self._columns[seen.column]
        place_BC.copy_(inputs)
        return self._own(taps_BX, ahead_BF)


class _RowPointwise(Pointwise):
    """A 1x1x1 convolution that is fast at single positions."""

    def __init__(self, *layers: nn.Conv3d) -> None:
        super().__init__(*layers)
        self._product = _Product(self._weight_FC)

    def __call__(self, inputs: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return (B,F) for inputs (B,C) of a column, or (B,P,F) for (B,P,C)."""
        if seen.column is None:
            return super().__call__(inputs, step, seen)
        return self._product(inputs, self._bias_F)


class _RowAttention(Attention):
    """Attention of one position, the next: every kept key is earlier, so nothing is masked."""

    def __init__(self, attention: CausalAttention, project: Pointwise, codes_BM: Tensor) -> None:
        super().__init__(attention, project, codes_BM)
        self._sum = _WeightedSum(self._values_BNE.shape[1], self._values_BNE)

    def __call__(self, inputs: Tensor, step: Step, seen: Seen) -> Tensor:
        """Return (B,E) for inputs (B,C) of a column, or (B,P,E) for (B,P,C)."""
        if seen.column is None:
            return super().__call__(inputs, step, seen)
        query_BD, key_BD, value_BE = self._project(inputs, step, seen).split(self._sizes, dim=-1)
        self._keys_BND.select(1, step.last).copy_(key_BD)
        self._values_BNE.select(1, step.last).copy_(value_BE)
        if step.last == 0:
            return torch.zeros_like(value_BE)
        keys_BlD, values_BlE = self._keys_BND[:, : step.last], self._values_BNE[:, : step.last]
        scores_B1l = torch.bmm((query_BD * self._scale).unsqueeze(1), keys_BlD.transpose(1, 2))
        weights_B1l = scores_B1l.softmax(dim=-1)
        if len(inputs) > 1:
            return torch.bmm(weights_B1l, values_BlE).squeeze(1)
        return self._sum(self._values_BNE[0], weights_B1l.view(-1), None)


class _Product:
    """A matrix times one vector for each clip."""

    def __init__(self, weight_FX: Tensor) -> None:
        self._weight_XF = weight_FX.T.contiguous()
        self._sum = _WeightedSum(len(self._weight_XF), weight_FX)

    def __call__(self, inputs_BX: Tensor, plus: Tensor) -> Tensor:
        """Return the product plus `plus`, (B,F) or (F,): (B,F)."""
        if len(inputs_BX) > 1:
            return torch.addmm(plus, inputs_BX, self._weight_XF)
        return self._sum(self._weight_XF, inputs_BX.view(-1), plus)


class _WeightedSum:
    """sum_x w_x r_x over the first rows r_x of a matrix, which is read by all threads.

    torch's product of a matrix and a vector runs on one thread, which cannot read memory as fast.
    """

    def __init__(self, rows: int, like: Tensor) -> None:
        self._every_X = torch.arange(rows, device=like.device)
        self._bags_S = self._every_X[::BAG].clone()
        self._ones_1S = like.new_ones(1, len(self._bags_S))

    def __call__(self, rows_XF: Tensor, weights_x: Tensor, plus: Tensor | None) -> Tensor:
        """Return the sum, and `plus` added where there is one: (1,F)."""
        every_x, bags_s, ones_1s = self._every_X, self._bags_S, self._ones_1S
        if len(weights_x) < len(every_x):
            count = -(-len(weights_x) // BAG)
            every_x, bags_s = every_x[: len(weights_x)], bags_s[:count]
            ones_1s = ones_1s[:, :count]
        sums_sF = functional.embedding_bag(
            every_x, rows_XF, bags_s, mode="sum", per_sample_weights=weights_x
        )
        # A product with ones is a sum that can add something in the same call.
        return ones_1s @ sums_sF if plus is None else torch.addmm(plus, ones_1s, sums_sF)


def _own(layer: CausalConv3d) -> int:
    """Return how many taps lie in the position's own row."""
    return sum(offset[:2] == (0, 0) for offset in layer.offsets())


def _reach(layer: CausalConv3d) -> int:
    """Return how far to the left the taps in the own row begin; they follow one another."""
    return max((-offset[2] for offset in layer.offsets() if offset[:2] == (0, 0)), default=0)
