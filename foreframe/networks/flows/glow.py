"""The conditional multi-scale Glow: an exact log density of a picture, and pictures drawn from it.

At each of L levels the picture is squeezed, goes through K steps of flow, and half of its channels
are set aside under a Gaussian of their own; what is left at the last level is scored under a base
density that the caller gives (Kingma and Dhariwal 2018). Couplings and splits alone see the
condition of their level (Glissov and Konradsen 2021, chapter 5).

Shapes: B rows, C channels, H rows and W columns of a picture, which 2^L divides.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from foreframe.networks.flows.level import Level, Memory
from foreframe.networks.flows.precision import full_precision
from foreframe.networks.flows.split import SplitPrior
from foreframe.networks.flows.squeeze import squeeze, unsqueeze
from foreframe.networks.gaussian import Gaussian, total

Shape = tuple[int, int, int]


class Glow(nn.Module):
    """Latents of a picture: the parts set aside, the largest first, then that of the base.

    Attributes:
        noise_shapes: (C,H,W) of each latent, and of the noise that `sample` makes it of.
        base_shape: the last of them, of the base density.
    """

    def __init__(
        self,
        shape: Shape,
        levels: int,
        steps: int,
        hidden: int,
        conditions: tuple[int, ...],
        memory: Memory,
    ) -> None:
        """Make it of pictures `shape` (C,H,W); `hidden` channels are inside each coupling.

        `conditions` are the channels of the map (B,.,H/2^l,W/2^l) that level l = 1..L is given, or
        () where none is; `memory` is what is kept for the way back, see `Level`.
        """
        super().__init__()
        assert shape[1] % 2**levels == shape[2] % 2**levels == 0, (shape, levels)
        assert len(conditions) in (0, levels), conditions
        self.noise_shapes = [_set_aside(shape, level) for level in range(1, levels)]
        self.base_shape = _squeezed(shape, levels)
        self.noise_shapes.append(self.base_shape)
        maps = conditions or (0,) * levels
        self.levels = nn.ModuleList(
            Level(_squeezed(shape, level)[0], steps, hidden, condition, memory)
            for level, condition in enumerate(maps, start=1)
        )
        self.splits = nn.ModuleList(
            SplitPrior(aside[0], condition)
            for aside, condition in zip(self.noise_shapes[:-1], maps, strict=False)
        )

    def log_prob(self, x_BCHW: Tensor, conditions: Sequence[Tensor], base: Gaussian) -> Tensor:
        """Return log p(x) of the density (B,), in nats; the base's deviations are (B,C,H,W)."""
        with full_precision(x_BCHW.device):
            latents, kept, log_B = self._analysed(x_BCHW, conditions)
            log_B = log_B + total(base.log_prob(latents[-1]))
            for level, split in enumerate(self.splits):
                prior = split(kept[level], _of(conditions, level, x_BCHW))
                log_B = log_B + total(prior.log_prob(latents[level]))
            return log_B

    def latents(self, x_BCHW: Tensor, conditions: Sequence[Tensor]) -> list[Tensor]:
        """Return what `inverse` makes the picture of, in the shapes of `noise_shapes`."""
        with full_precision(x_BCHW.device):
            return self._analysed(x_BCHW, conditions)[0]

    def inverse(self, latents: Sequence[Tensor], conditions: Sequence[Tensor]) -> Tensor:
        """Return the pictures (B,C,H,W) that have these latents."""
        return self._made(latents[-1], conditions, lambda level, kept: latents[level])

    def sample(
        self,
        noises: Sequence[Tensor],
        conditions: Sequence[Tensor],
        base: Gaussian,
        temperature: float,
    ) -> Tensor:
        """Return pictures (B,C,H,W) drawn with standard normal noise (B, *noise_shapes).

        The temperature multiplies the deviations of the base and of every part set aside.
        """

        def drawn(level: int, kept_BCHW: Tensor) -> Tensor:
            prior = self.splits[level](kept_BCHW, _of(conditions, level, kept_BCHW))
            return prior.sample(noises[level], temperature)

        return self._made(base.sample(noises[-1], temperature), conditions, drawn)

    def _analysed(
        self, x_BCHW: Tensor, conditions: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return the latents, what goes on at each split, and log|det| (B,)."""
        latents, kept = [], []
        log_B = x_BCHW.new_zeros(len(x_BCHW))
        for number, level in enumerate(self.levels):
            x_BCHW, own_B = level(squeeze(x_BCHW), _of(conditions, number, x_BCHW))
            log_B = log_B + own_B
            if number < len(self.splits):
                x_BCHW, aside = x_BCHW.chunk(2, dim=1)
                kept.append(x_BCHW)
                latents.append(aside)
        return [*latents, x_BCHW], kept, log_B

    def _made(
        self,
        x_BCHW: Tensor,
        conditions: Sequence[Tensor],
        aside: Callable[[int, Tensor], Tensor],
    ) -> Tensor:
        """Return pictures of the last latent, and of what was set aside of each level."""
        with full_precision(x_BCHW.device):
            for number in reversed(range(len(self.levels))):
                if number < len(self.splits):
                    x_BCHW = torch.cat([x_BCHW, aside(number, x_BCHW)], dim=1)
                level = self.levels[number]
                assert isinstance(level, Level)
                x_BCHW = unsqueeze(level.inverse(x_BCHW, _of(conditions, number, x_BCHW)))
            return x_BCHW


def _of(conditions: Sequence[Tensor], level: int, like: Tensor) -> Tensor | None:
    return conditions[level].to(like.dtype) if conditions else None


def _squeezed(shape: Shape, level: int) -> Shape:
    channels, height, width = shape
    return channels * 2 ** (level + 1), height // 2**level, width // 2**level


def _set_aside(shape: Shape, level: int) -> Shape:
    channels, height, width = _squeezed(shape, level)
    return channels // 2, height, width
