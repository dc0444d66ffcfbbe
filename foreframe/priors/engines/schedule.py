"""In which order codes can be sampled: one by one, or in waves of positions that do not meet.

A position's activations depend, in every layer, on the positions at the kernels' offsets. Give each
position a level that is larger than those of all positions it sees; then all positions of a level
can be computed together, after those of lower levels. The smallest such level of a position is the
length of the longest chain of offsets that ends there.

Shapes: N = T*H*W positions in raster order, P positions of one step, O offsets.
"""

import functools
import itertools
from collections.abc import Iterable

import numpy
import torch
from numpy.typing import NDArray

from foreframe.networks.causal import CausalConv3d, Offset
from foreframe.priors import Grid
from foreframe.priors.engines import Step
from foreframe.priors.snail import SnailPrior


def dependencies(prior: SnailPrior) -> tuple[Offset, ...]:
    """Return the sorted offsets of all layers, the position itself left out."""
    layers = [module for module in prior.modules() if isinstance(module, CausalConv3d)]
    return tuple(sorted({offset for layer in layers for offset in layer.offsets()} - {(0, 0, 0)}))


def has_attention(prior: SnailPrior) -> bool:
    """Return whether a position may depend on every earlier one."""
    return any(block.attention is not None for block in prior.trunk.each_block())


def one_by_one(grid: Grid, start: int, device: torch.device) -> list[Step]:
    """Return the steps that sample one position each, in raster order, from `start` on."""
    count = grid[0] * grid[1] * grid[2]
    positions_N = torch.arange(count, device=device)
    return [Step(positions_N[index : index + 1], index) for index in range(start, count)]


def waves(grid: Grid, offsets: tuple[Offset, ...], start: int, device: torch.device) -> list[Step]:
    """Return the steps that sample all positions of a level each; those before `start` are known.

    No order has fewer steps, as long as a step takes only positions that do not depend on another.
    """
    levels_N = levels(grid, offsets).copy()
    order_N = numpy.argsort(levels_N, kind="stable")
    order_M = order_N[order_N >= start]
    borders = numpy.flatnonzero(numpy.diff(levels_N[order_M])) + 1
    groups = numpy.split(order_M, borders) if len(order_M) else []
    return [Step(torch.from_numpy(group).to(device), int(group.max())) for group in groups]


@functools.lru_cache(maxsize=16)
def levels(grid: Grid, offsets: tuple[Offset, ...]) -> NDArray[numpy.int64]:
    """Return for each position the length of the longest chain of offsets that ends at it: (N,)."""
    seen_NO = neighbours(grid, offsets)
    # The last entry stands for all positions outside the grid: no chain comes from there.
    result = numpy.full(len(seen_NO) + 1, -1, numpy.int64)
    for position, seen_O in enumerate(seen_NO):
        result[position] = result[seen_O].max(initial=-1) + 1
    return result[:-1]


def neighbours(grid: Grid, offsets: Iterable[Offset]) -> NDArray[numpy.int64]:
    """Return the position at each offset of each position: (N,O); N where that is outside."""
    steps_O3 = numpy.array(list(offsets), numpy.int64).reshape(-1, 3)
    places_N3 = numpy.array(list(itertools.product(*map(range, grid))), numpy.int64)
    places_NO3 = places_N3[:, None] + steps_O3
    inside_NO = ((places_NO3 >= 0) & (places_NO3 < numpy.array(grid))).all(axis=-1)
    _, rows, columns = grid
    positions_NO = places_NO3 @ numpy.array([rows * columns, columns, 1])
    return numpy.where(inside_NO, positions_NO, len(places_N3))
