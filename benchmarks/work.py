"""What a step of an engine must do at least: floating-point operations, and bytes to read.

Shapes: P positions of a step.
"""

import functools

import torch

from foreframe.networks.attention import CausalAttention, CausalHeads
from foreframe.networks.causal import CausalConv3d
from foreframe.priors.engines import Engine, Step, operations
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.snail import SnailPrior

FLOAT = torch.float32.itemsize


def counted(prior: SnailPrior, kind: type[Engine], step: Step, clips: int) -> float:
    """Return the floating-point operations of a step; a multiply-add is two."""
    if kind is Naive:
        return clips * _forward(prior, step.last // (prior.grid[1] * prior.grid[2]) + 1)
    each = [operations.positions(prior, place, place + 1) for place in step.positions.tolist()]
    return clips * (sum(each) + len(each) * operations.head(prior))


@functools.lru_cache(maxsize=64)
def _forward(prior: SnailPrior, frames: int) -> int:
    # In inference mode the counter does not get on with normalised weights.
    with torch.inference_mode(mode=False):
        return operations.forward(prior, frames)


def moved(prior: SnailPrior, kind: type[Engine], step: Step, clips: int) -> float:
    """Return the bytes that a step must read at least: weights once, kept inputs per code.

    Rowwise reads the weights of taps in earlier rows once for each row: a position has its share.
    """
    kept = above = 0
    for module in prior.trunk.modules():
        if isinstance(module, CausalConv3d):
            outputs, inputs = module.weight.shape[:2]
            kept += inputs * len(module.offsets())
            above += outputs * inputs * sum(offset[:2] != (0, 0) for offset in module.offsets())
        elif isinstance(module, CausalAttention | CausalHeads):
            kept += step.last * (module.key.out_channels + module.value.out_channels)
    weights = live_weights(prior)
    if kind is Naive:
        return FLOAT * weights
    if kind is Rowwise:
        weights -= above * (1 - 1 / prior.grid[2])
    return FLOAT * (weights + clips * len(step.positions) * kept)


def live_weights(prior: SnailPrior) -> float:
    """Return how many weights of the trunk are not masked."""
    weights = sum(parameter.numel() for parameter in prior.trunk.parameters())
    for module in prior.trunk.modules():
        if isinstance(module, CausalConv3d):
            outputs, inputs, *kernel = module.weight.shape
            weights -= outputs * inputs * (torch.Size(kernel).numel() - len(module.offsets()))
    return weights
