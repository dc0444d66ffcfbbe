"""How many floating-point operations sampling takes, counted without computing anything.

A multiply-add is two operations; products of matrices, convolutions and attention are counted, and
the few elementwise ones are not. What depends on no code (the condition) and what depends on given
codes alone (reading them) is counted apart from the sampled codes, and so is the condition of the
naive engine, which is given it ready as well.

Shapes: B clips, T H W code grid, N = T*H*W positions.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from foreframe import priors
from foreframe.networks.attention import CausalAttention, CausalHeads
from foreframe.networks.causal import CausalConv3d
from foreframe.priors import ACTIONS, AutoregressivePrior
from foreframe.priors.engines import key_value, schedule
from foreframe.priors.snail import SnailPrior
from foreframe.priors.transformer import TransformerPrior


@dataclass(frozen=True)
class Operations:
    """Operations that one clip takes; `sampled` and `naive` are those of all `codes` together.

    A second look in float64, which few clips need, depends on where the doubt is; not counted.
    """

    codes: int  # that are sampled
    steps: int  # that depend on one another, with the fastest engine
    condition: int
    given: int
    sampled: int
    naive: int

    @property
    def per_code(self) -> float:
        """Operations for each sampled code, with the fastest engine."""
        return self.sampled / self.codes

    @property
    def times_fewer(self) -> float:
        """How many times fewer the sampled codes take than with the naive engine."""
        return self.naive / self.sampled

    def facts(self) -> dict[str, int | float]:
        """Return what a file of samples says of a level."""
        return {
            "codes": self.codes,
            "steps": self.steps,
            "per_code": self.per_code,
            "times_fewer": self.times_fewer,
        }


def sampling_operations(prior: AutoregressivePrior, given_frames: int) -> Operations:
    """Return what sampling a clip after `given_frames` code-frames takes, 0 <= given_frames < T."""
    frames, rows, columns = prior.grid
    each = rows * columns
    start, count = given_frames * each, frames * each
    naive = sum(each * forward(prior, t + 1) for t in range(given_frames, frames))
    if isinstance(prior, TransformerPrior):
        return Operations(
            codes=count - start,
            steps=count - start,
            condition=condition(prior),
            given=key_value.positions(prior, 0, start),
            sampled=key_value.positions(prior, start, count)
            + (count - start) * key_value.head(prior),
            naive=naive,
        )
    if not isinstance(prior, SnailPrior):
        return Operations(count - start, count - start, condition(prior), 0, naive, naive)
    steps = count - start
    if not schedule.has_attention(prior):
        offsets = schedule.dependencies(prior)
        steps = len(schedule.waves(prior.grid, offsets, start, torch.device("cpu")))
    return Operations(
        codes=count - start,
        steps=steps,
        condition=condition(prior),
        given=positions(prior, 0, start),
        sampled=positions(prior, start, count) + (count - start) * head(prior),
        naive=naive,
    )


def positions(prior: SnailPrior, first: int, after: int) -> int:
    """Return what the engines that keep activations take for a stretch of positions, less `head`.

    Each position costs its live taps once, and attention to the positions before it.
    """
    fixed = earlier = 0
    for module in prior.trunk.blocks.modules():
        if isinstance(module, CausalConv3d):
            outputs, inputs = module.weight.shape[:2]
            fixed += 2 * outputs * inputs * len(module.offsets())
        elif isinstance(module, nn.Conv3d):
            fixed += 2 * module.out_channels * module.in_channels
        elif isinstance(module, CausalAttention | CausalHeads):
            earlier += 2 * (module.key.out_channels + module.value.out_channels)
    before = (after * (after - 1) - first * (first - 1)) // 2  # first + ... + (after - 1)
    return (after - first) * fixed + before * earlier


def head(prior: SnailPrior) -> int:
    """Return what the logits of one position take after the trunk's blocks."""
    return 2 * prior.trunk.head.out_channels * prior.trunk.head.in_channels


def forward(prior: AutoregressivePrior, frames: int) -> int:
    """Return what a forward pass over the first code-frames takes, its condition left out."""
    shadow = _shadow(prior)
    codes_1tHW = torch.zeros(1, frames, *prior.grid[1:], dtype=torch.int64, device="meta")
    ready = shadow.condition(_given(prior))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shadow.logits(codes_1tHW, ready)
    return int(counter.get_total_flops())


def condition(prior: AutoregressivePrior) -> int:
    """Return what the condition takes, computed once for each clip."""
    shadow = _shadow(prior)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shadow.condition(_given(prior))
    return int(counter.get_total_flops())


def _shadow(prior: AutoregressivePrior) -> AutoregressivePrior:
    """Return the prior without numbers: its operations have shapes, and take no time."""
    with torch.device("meta"):
        return priors.density(priors.ROLE.build(prior.settings, prior.given))


def _given(prior: AutoregressivePrior) -> dict[str, torch.Tensor]:
    given = {
        level: torch.zeros(1, *codes.grid, dtype=torch.int64, device="meta")
        for level, codes in prior.conditions.items()
    }
    if prior.actions is not None:
        shape = (1, prior.actions.frames, len(prior.actions.names))
        given[ACTIONS] = torch.zeros(shape, device="meta")
    return given
