"""Batch normalisation of clips, step by step, told a condition (Castrejon et al. 2022; CVG).

    (1 + G c) (x_t - mean_t) / deviation_t + H c

Means and variances of a channel belong to a time step, so a network knows them for the length that
it was trained with. For another length they are measured: `recalibrate` runs the network some times
by the statistics of each batch, and keeps their means. G and H are linear maps of the condition c,
without biases. Shards of a batch are normalised each by itself, and the moving averages move by the
mean, as those of any batch normalisation here.

Shapes: B rows, T steps, C channels, E numbers of a condition, H rows and W columns.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.spectral import Linear

EPSILON = 1e-5
MOMENTUM = 0.1  # share of a batch in the moving averages


@dataclass
class Measured:
    """Means over some passes, for clips of another length.

    Attributes:
        mean: (T,C).
        variance: (T,C), unbiased.
        passes: how many there were.
    """

    mean: Tensor
    variance: Tensor
    passes: int = 0


class StepNorm(nn.Module):
    """The normalisation, of clips of `frames` steps in training.

    Attributes:
        further: what was measured of other lengths; it is not among the weights.
        by_batch: whether a batch is normalised by itself and nothing moves, whatever the mode.
        measured: what is being measured; None: nothing.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, frames: int, condition: int) -> None:
        super().__init__()
        self.gain = Linear(condition, channels, bias=False)
        self.shift = Linear(condition, channels, bias=False)
        self.register_buffer("running_mean", torch.zeros(frames, channels))
        self.register_buffer("running_var", torch.ones(frames, channels))
        self.further: dict[int, Measured] = {}
        self.by_batch = False
        self.measured: Measured | None = None

    def forward(self, x_BTCHW: Tensor, told_BE: Tensor) -> Tensor:
        """Return (B,T,C,H,W).

        Raises:
            KeyError: in eval mode, a length that was neither trained nor measured.
        """
        steps = x_BTCHW.shape[1:3]
        # Each channel of each step is a channel of one batch normalisation.
        normal = self._normalized(x_BTCHW.flatten(1, 2), steps).unflatten(1, steps)
        gain_BC, shift_BC = 1 + self.gain(told_BE), self.shift(told_BE)
        return normal * gain_BC[:, None, :, None, None] + shift_BC[:, None, :, None, None]

    def _normalized(self, x_BNHW: Tensor, steps: torch.Size) -> Tensor:
        share, moves = MOMENTUM, True
        if self.by_batch:
            return functional.batch_norm(x_BNHW, None, None, training=True, eps=EPSILON)
        if self.measured is not None:
            known = self.measured
            known.passes += 1
            mean_TC, variance_TC, share = known.mean, known.variance, 1 / known.passes
        elif self.training or steps[0] == len(self.running_mean):
            mean_TC, variance_TC, moves = self.running_mean, self.running_var, self.training
        else:
            known, moves = self.further[steps[0]], False
            mean_TC, variance_TC = known.mean, known.variance
        return functional.batch_norm(
            x_BNHW,
            mean_TC.view(-1),
            variance_TC.view(-1),
            training=moves,
            momentum=share,
            eps=EPSILON,
        )


@contextlib.contextmanager
def by_batch(network: nn.Module) -> Iterator[None]:
    """While entered, a network's clips are normalised over their batch, and nothing follows."""
    norms = _norms(network)
    for norm in norms:
        norm.by_batch = True
    try:
        yield
    finally:
        for norm in norms:
            norm.by_batch = False


@torch.no_grad()
def recalibrate(network: nn.Module, frames: int, passes: int, act: Callable[[int], object]) -> None:
    """Let a network know the statistics of clips of `frames` frames, which `act` has it make.

    `act` is called with the number of each pass, from 0.
    """
    norms = _norms(network)
    for norm in norms:
        empty_TC = norm.running_mean.new_zeros(frames, norm.running_mean.shape[1])
        norm.measured = Measured(empty_TC, empty_TC.clone())
    try:
        for number in range(passes):
            act(number)
        for norm in norms:
            assert norm.measured is not None and norm.measured.passes == passes
            norm.further[frames] = norm.measured
    finally:
        for norm in norms:
            norm.measured = None


def knows(network: nn.Module, frames: int) -> bool:
    """Return whether a network has statistics of clips of so many frames."""
    return all(
        frames == len(norm.running_mean) or frames in norm.further for norm in _norms(network)
    )


def forget(network: nn.Module) -> None:
    """Drop what was measured: the weights that it was measured with are about to change."""
    for norm in _norms(network):
        norm.further.clear()


def _norms(network: nn.Module) -> list[StepNorm]:
    return [module for module in network.modules() if isinstance(module, StepNorm)]
