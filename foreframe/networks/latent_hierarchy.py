"""Gaussian latents at several resolutions, each given those above it: Castrejon et al. 2019.

Layers: thesis of 2022, tables 4.6 and 4.7. A recurrent cell of a level reads features
of frames only, so it runs over all steps before any latent is drawn; then the levels follow each
other from the top down, each for all steps at once. One step is the same code with S = 1.

Shapes: B clips, D context frames, S steps, I and C channels, Z channels of a latent, H rows,
W columns. A resolution is named by its rows; states are kept by resolution.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.conv_lstm import ConvLSTM, NormalizedConvLSTM, Pair
from foreframe.networks.gaussian import SMALLEST, Gaussian
from foreframe.networks.pooling import enlarge
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.residual_frames import SilentNorm, Style, normalized
from foreframe.roots import root

Cell = ConvLSTM | NormalizedConvLSTM
Choose = Callable[[int, Gaussian], Tensor]


@dataclass(frozen=True)
class Layout:
    """What latents and decoder are made of.

    Attributes:
        context: D, frames whose features begin the states.
        sizes: resolutions from the top to the frame's own.
        features: channels of the features at each resolution.
        hidden: channels of the states of latents and decoder at each resolution.
        latents: Z of each resolution that has one, from the top down.
        dense: a level is given all latents above it, not only the next one.
        cells: normalised ones have a group normalisation of gates and memory.
        recurrent: resolutions at which the decoder has a cell.
        widening: the decoder's states have so many times the channels of `hidden`.
        style: of all blocks.
    """

    context: int
    sizes: tuple[int, ...]
    features: Mapping[int, int]
    hidden: Mapping[int, int]
    latents: Mapping[int, int]
    dense: bool
    cells: Literal["normalized", "plain"]
    recurrent: tuple[int, ...]
    widening: int
    style: Style

    def groups(self, size: int) -> int:
        """Return the groups of what is normalised about latents and states at a resolution."""
        return 1 if size == 1 else self.style.state_groups

    def cell(self, inputs: int, hidden: int) -> Cell:
        """Return a recurrent cell of the chosen make."""
        if self.cells == "plain":
            return ConvLSTM(inputs, hidden)
        return NormalizedConvLSTM(inputs, hidden, self.style.state_groups)


class StartingState(nn.Module):
    """The first state of a cell, of the features of all context frames at its resolution."""

    def __init__(self, layout: Layout, size: int, hidden: int, kernel: int) -> None:
        super().__init__()
        inputs = layout.context * layout.features[size]
        # Features that are the frame itself are a few colours: they are one group.
        groups = layout.style.groups if layout.features[size] % layout.style.groups == 0 else 1
        self.layers = nn.Sequential(
            normalized(inputs, inputs, kernel, groups, layout.style),
            nn.Conv2d(inputs, 2 * hidden, 1),
            nn.GroupNorm(layout.groups(size), 2 * hidden),
        )

    def forward(self, features_BDCHW: Tensor) -> Pair:
        """Return h and c (B,hidden,H,W)."""
        h_BCHW, c_BCHW = self.layers(features_BDCHW.flatten(1, 2)).chunk(2, dim=1)
        return h_BCHW, c_BCHW


class Level(Recomputed):
    """The distribution of the latent of one resolution, of features and the latents above."""

    def __init__(self, layout: Layout, size: int) -> None:
        super().__init__()
        channels, hidden = layout.latents[size], layout.hidden[size]
        above = [other for other in layout.latents if other < size]
        self.above = above if layout.dense else above[-1:]
        self.size = size
        self.enter = nn.Sequential(
            nn.Conv2d(layout.features[size], channels, 1),
            nn.GroupNorm(layout.groups(size), channels),
        )
        self.cell = layout.cell(channels, hidden)
        self.starting = StartingState(layout, size, hidden, kernel=1)
        heard = sum(layout.latents[other] for other in self.above)
        self.leave = nn.Sequential(
            nn.Conv2d(hidden + heard, 2 * channels, 1),
            SilentNorm(layout.groups(size), 2 * channels),
        )

    def read(self, features_BSCHW: Tensor, pair: Pair) -> tuple[Tensor, Pair]:
        """Return hidden values (B,S,C,H,W) of the steps, and the state after them."""
        return over_time(self.cell, each_step(self.enter, features_BSCHW), pair)

    def forward(self, hidden_BSCHW: Tensor, latents: Mapping[int, Tensor]) -> Gaussian:
        """Return the distribution of the latent of each step, (B,S,Z,H,W).

        The variance is softplus(raw), about 0.69 at the start.
        """
        raised = [_raised(latents[size], self.size) for size in self.above]
        raw = each_step(self.leave, torch.cat([hidden_BSCHW, *raised], dim=2))
        mean, raw = raw.chunk(2, dim=2)
        return Gaussian(mean, root(functional.softplus(raw) + SMALLEST))


class Hierarchy(nn.Module):
    """The levels of a prior or a posterior; which of the two, the frames that it reads decide."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.levels = nn.ModuleDict({str(size): Level(layout, size) for size in layout.latents})

    def start(self, features: Mapping[int, Tensor]) -> dict[int, Pair]:
        """Return the state of each level, of features (B,D,C,H,W) of the context."""
        return {size: level.starting(features[size]) for size, level in self._levels().items()}

    def read(
        self, features: Mapping[int, Tensor], states: Mapping[int, Pair]
    ) -> tuple[dict[int, Tensor], dict[int, Pair]]:
        """Return hidden values (B,S,C,H,W) of each level, and the states after the steps."""
        found = {
            size: level.read(features[size], states[size]) for size, level in self._levels().items()
        }
        return _unzipped(found)

    def descend(
        self, hidden: Mapping[int, Tensor], choose: Choose
    ) -> tuple[dict[int, Gaussian], dict[int, Tensor]]:
        """Return the distribution and the latent (B,S,Z,H,W) of each level, from the top down.

        `choose` says which latent is taken, of the resolution and its distribution.
        """
        distributions: dict[int, Gaussian] = {}
        latents: dict[int, Tensor] = {}
        for size, level in self._levels().items():
            distributions[size] = level(hidden[size], latents)
            latents[size] = choose(size, distributions[size])
        return distributions, latents

    def _levels(self) -> dict[int, Level]:
        levels = {}
        for name, level in self.levels.items():
            assert isinstance(level, Level)
            levels[int(name)] = level
        return levels


def over_time(cell: Cell, x_BSIHW: Tensor, pair: Pair) -> tuple[Tensor, Pair]:
    """Return the hidden values (B,S,C,H,W) of a cell at each step, and its last state."""
    found = []
    for x_BIHW in x_BSIHW.unbind(1):
        pair = cell(x_BIHW, pair)
        found.append(pair[0])
    return torch.stack(found, dim=1), pair


def each_step(layers: nn.Module, x_BSIHW: Tensor) -> Tensor:
    """Return layers of features (B,S,C,H,W) of all steps, in one call."""
    found_BSCHW: Tensor = layers(x_BSIHW.flatten(0, 1)).unflatten(0, x_BSIHW.shape[:2])
    return found_BSCHW


def _raised(latent_BSZHW: Tensor, rows: int) -> Tensor:
    merged = enlarge(latent_BSZHW.flatten(0, 1), rows // latent_BSZHW.shape[-1])
    return merged.unflatten(0, latent_BSZHW.shape[:2])


def _unzipped(
    found: Mapping[int, tuple[Tensor, Pair]],
) -> tuple[dict[int, Tensor], dict[int, Pair]]:
    values = {size: value for size, (value, _) in found.items()}
    return values, {size: state for size, (_, state) in found.items()}
