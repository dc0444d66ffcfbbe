"""Logits of a few positions of finished codes, from what these positions depend on and no more.

Without attention a position hangs on a cone: itself after the last layer, its neighbours at the
kernel's live taps before that, theirs before that, and so on to the codes. So a second look at few
codes computes few positions, most of them in the lowest layers alone.

Shapes: N = T*H*W positions of one clip, D positions asked for, P positions that a layer's output is
needed at, S those that its input is needed at, O offsets, C and F channels, K codes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.causal import CausalConv3d, LookUp
from foreframe.networks.snail import Block
from foreframe.priors.engines import schedule
from foreframe.priors.engines.layers import gated
from foreframe.priors.snail import SnailPrior

GATHERED = 2**25  # bytes that a layer may gather at once


@dataclass(frozen=True)
class Field:
    """Features (P,C) at some positions (P,), which are sorted."""

    positions: Tensor
    values: Tensor

    def at(self, positions_p: Tensor) -> Tensor:
        """Return the features (p,C) at some of the positions."""
        return self.values[torch.searchsorted(self.positions, positions_p)]

    def map(self, function: Callable[[Tensor], Tensor]) -> "Field":
        """Return the field of a function of each position's features."""
        return Field(self.positions, function(self.values))


class Cone:
    """The logits of a prior without attention, at any precision its weights have."""

    def __init__(self, prior: SnailPrior) -> None:
        assert not schedule.has_attention(prior), "with attention a position hangs on all before it"
        self._prior = prior
        self._layers = [gated(block) for block in prior.trunk.each_block()]

    def logits(
        self, codes_1THW: Tensor, latents: Mapping[str, Tensor], positions_D: Tensor
    ) -> Tensor:
        """Return logits (D,K) at sorted positions of one clip's codes; `latents` as `condition`."""
        trunk, needed = self._prior.trunk, self._needed(positions_D)
        x, condition = self._first(codes_1THW, latents, needed.pop())
        for block, layers in zip(trunk.each_block(), self._layers, strict=True):
            y = x
            for layer in layers:
                hidden = self._convolve(layer.first, y.map(functional.elu), needed.pop())
                after = needed.pop()
                both = self._convolve(layer.second, hidden.map(functional.elu), after).values
                if layer.condition is not None and condition is not None:
                    both = both + _pointwise(layer.condition, condition.at(after))
                y = Field(after, y.at(after) + functional.glu(both, dim=-1))
            if isinstance(block, Block):
                total = functional.elu(_pointwise(block.local, functional.elu(y.values)))
                added = functional.elu(_pointwise(block.out, functional.elu(total)))
                x = Field(y.positions, x.at(y.positions) + added)
            else:
                assert isinstance(block.out, nn.Conv3d)
                where_PX = trunk.where.flatten(1).T[y.positions]
                x = Field(y.positions, _pointwise(block.out, torch.cat([y.values, where_PX], 1)))
        return _pointwise(trunk.head, trunk.close(x.values))

    def _needed(self, positions_D: Tensor) -> list[Tensor]:
        """Return where each convolution's output is needed, last to first, then the first features.

        Each holds the one before: a position's own features are added to what its layer makes.
        """
        found = [positions_D]
        for layers in reversed(self._layers):
            for layer in reversed(layers):
                for convolution in (layer.second, layer.first):
                    assert isinstance(convolution, CausalConv3d)
                    seen_PO = self._seen(convolution, found[-1])
                    inside = seen_PO < self._count
                    found.append(torch.cat([found[-1], seen_PO[inside]]).unique())
        return found

    @property
    def _count(self) -> int:
        frames, rows, columns = self._prior.grid
        return frames * rows * columns

    def _seen(self, layer: CausalConv3d | LookUp, positions_P: Tensor) -> Tensor:
        """Return the positions (P,O) at a layer's offsets; N for those outside the grid."""
        offsets_O3 = torch.tensor(layer.offsets(), device=positions_P.device)
        sizes_3 = torch.tensor(self._prior.grid, device=positions_P.device)
        places_PO3 = self._places(positions_P)[:, None] + offsets_O3
        inside_PO = ((places_PO3 >= 0) & (places_PO3 < sizes_3)).all(dim=-1)
        _, rows, columns = self._prior.grid
        time, row, column = places_PO3.unbind(dim=-1)
        return torch.where(inside_PO, (time * rows + row) * columns + column, self._count)

    def _places(self, positions_P: Tensor) -> Tensor:
        """Return (time, row, column) of positions: (P,3)."""
        _, rows, columns = self._prior.grid
        lines_P = positions_P // columns
        return torch.stack([lines_P // rows, lines_P % rows, positions_P % columns], dim=-1)

    def _first(
        self, codes_1THW: Tensor, latents: Mapping[str, Tensor], positions_P: Tensor
    ) -> tuple[Field, Field | None]:
        """Return the trunk's first features (P,F), and what its layers are told (P,C)."""
        layer = self._prior.input
        codes_M = functional.pad(codes_1THW.flatten(), (0, 1), value=self._prior.codebook_size)
        codes_PO = codes_M[self._seen(layer, positions_P)]
        tables_OKF = layer.tables()
        each_O = torch.arange(len(tables_OKF), device=codes_PO.device)
        start_PF = tables_OKF[each_O, codes_PO].sum(dim=1) + layer.shift
        places_P3 = self._places(positions_P)
        first, last = places_P3.amin(dim=0).tolist(), places_P3.amax(dim=0).tolist()
        box = tuple(slice(low, high + 1) for low, high in zip(first, last, strict=True))
        features = self._prior.condition_in(latents, (box[0], box[1], box[2]))
        if features is None:
            return Field(positions_P, start_PF), None
        time, row, column = (places_P3 - places_P3.amin(dim=0)).unbind(dim=-1)
        condition_PC = features[0, :, time, row, column].T
        if self._prior.adds_condition:
            return Field(positions_P, start_PF + condition_PC), None
        return Field(positions_P, start_PF), Field(positions_P, condition_PC)

    def _convolve(self, layer: nn.Module, field: Field, positions_P: Tensor) -> Field:
        """Return a convolution's outputs at positions whose neighbours the field holds."""
        assert isinstance(layer, CausalConv3d)
        values_SC = functional.pad(field.values, (0, 0, 0, 1))  # the last is outside the grid
        weight_FX = layer.taps().transpose(0, 1).flatten(1)
        size = max(1, GATHERED // (weight_FX.shape[1] * values_SC.element_size()))
        parts = []
        for part_P in positions_P.split(size):
            seen_PO = self._seen(layer, part_P)
            rows_PO = torch.searchsorted(field.positions, seen_PO)
            taps_PX = values_SC[rows_PO].flatten(1)
            parts.append(functional.linear(taps_PX, weight_FX, layer.bias))
        return Field(positions_P, torch.cat(parts))


def _pointwise(layer: nn.Conv3d, values_PC: Tensor) -> Tensor:
    return functional.linear(values_PC, layer.weight.flatten(1), layer.bias)
