"""Critics of clips (Clark et al. 2019, DVD-GAN; Castrejon et al. 2022, CVG).

Three of equal make give scores that are taken as one row of numbers: of some frames by themselves
at full size, of all frames of the clip at half its size, told their neighbours by the first two
blocks, and of the clip averaged down to the one of the level below, beside that clip. The last one
is the matching critic: without it nothing ties a clip to what it was made of. Classes are told by
projection (Miyato and Koyama 2018).

Shapes: B rows, T frames, t frames of the clip below, k seen frames, C channels, H rows, W columns,
F features, S = k + T + t scores.
"""

import itertools
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.networks.frame_vae import over_time
from foreframe.networks.gaussian import wide
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.spectral import Classes, Convolution, Linear

VOLUMES = 2  # blocks that see neighbouring frames
HALF = 2

Count = Annotated[int, Field(ge=1)]


class CriticSettings(Strict):
    """The widths of all three, from the image on: `channels` times each of `multipliers`.

    Kinetics-600: 2, 4, 8, 16, 16 times 128 (32 rows), 1, 2, 4, 8, 16, 16 times 96 (128 rows).
    """

    channels: Count
    multipliers: Annotated[tuple[Count, ...], Field(min_length=VOLUMES)]
    frames: Count  # k, 8
    matching: bool  # whether there is a matching critic; false: the ablation, and the first level

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels of each block."""
        return tuple(self.channels * each for each in self.multipliers)


class Block(Recomputed):
    """x + conv(relu(conv(relu(x)))), averaged down by 2 where it halves, without normalisation.

    The first one of a critic sees pixels, which no ReLU may cut. Beside it, where size or channels
    change, is a 1x1 convolution.
    """

    def __init__(
        self, channels: tuple[int, int], kernel: tuple[int, ...], *, first: bool, halves: bool
    ) -> None:
        super().__init__()
        inputs, outputs = channels
        self.is_first, self.halves = first, halves
        self.first = Convolution(inputs, outputs, kernel)
        self.second = Convolution(outputs, outputs, kernel)
        changes, one = halves or inputs != outputs, tuple(1 for _ in kernel)
        self.shortcut = Convolution(inputs, outputs, one, bias=False) if changes else None

    def forward(self, x_BC: Tensor) -> Tensor:
        """Return (B,C,...), the last two axes perhaps halved."""
        inner = self.first(x_BC if self.is_first else x_BC.relu())
        made = self._halved(self.second(inner.relu()))
        # Averaged first, where it is the same and cheaper.
        beside = self._halved(x_BC)
        return made + (beside if self.shortcut is None else self.shortcut(beside))

    def _halved(self, x_BC: Tensor) -> Tensor:
        return averaged(x_BC, HALF) if self.halves else x_BC


class FrameScores(nn.Module):
    """A score of each frame of a clip; the first `volumes` blocks see its neighbours.

    All blocks but the last halve frames, as long as these have an even number of rows.
    """

    def __init__(
        self, channels: int, side: int, widths: Sequence[int], *, volumes: int, classes: int
    ) -> None:
        super().__init__()
        self.volumes, last = volumes, len(widths) - 1
        blocks = []
        for place, pair in enumerate(itertools.pairwise((channels, *widths))):
            halves = place < last and side % 2 == 0
            kernel = (3, 3, 3) if place < volumes else (3, 3)
            blocks.append(Block(pair, kernel, first=place == 0, halves=halves))
            side = side // 2 if halves else side
        self.blocks = nn.ModuleList(blocks)
        self.judge = Linear(widths[-1], 1)
        self.embedding = Classes(classes, widths[-1]) if classes else None

    def forward(self, x_BTCHW: Tensor, label_B: Tensor | None) -> Tensor:
        """Return scores (B,T), the higher the truer, float32 at least."""
        x_BCTHW = x_BTCHW.transpose(1, 2)
        for block in self.blocks[: self.volumes]:
            x_BCTHW = block(x_BCTHW)
        x_BTCHW = x_BCTHW.transpose(1, 2)
        for block in self.blocks[self.volumes :]:
            x_BTCHW = over_time(block, x_BTCHW)
        features_BTF = x_BTCHW.relu().flatten(3).sum(dim=3)
        scores_BT = wide(over_time(self.judge, features_BTF))[..., 0]
        if self.embedding is None:
            return scores_BT
        assert label_B is not None
        told_BF = self.embedding(label_B)
        return scores_BT + wide(features_BTF * told_BF[:, None]).sum(dim=2)


class ClipCritics(nn.Module):
    """The critics of a level; `below` is the number of rows of the clip below, 0 without."""

    def __init__(
        self, settings: CriticSettings, size: int, *, colours: int, below: int, classes: int
    ) -> None:
        super().__init__()

        def critic(channels: int, side: int, volumes: int) -> FrameScores:
            widths = settings.widths
            return FrameScores(channels, side, widths, volumes=volumes, classes=classes)

        self.below = below
        self.spatial = critic(colours, size, 0)
        self.temporal = critic(colours, size // HALF, VOLUMES)
        self.matching = critic(2 * colours, below, VOLUMES) if settings.matching else None

    def forward(
        self,
        x_BCTHW: Tensor,
        low_BCtHW: Tensor | None,
        label_B: Tensor | None,
        chosen_Bk: Tensor,
    ) -> Tensor:
        """Return the scores (B,S) of clips, with the clips below and classes, if there are any.

        `chosen` are the places of the frames that are seen by themselves.
        """
        x_BTCHW = x_BCTHW.transpose(1, 2)
        scores = [
            self.spatial(picked(x_BTCHW, chosen_Bk), label_B),
            self.temporal(averaged(x_BTCHW, HALF), label_B),
        ]
        if self.matching is not None:
            assert low_BCtHW is not None
            scores.append(self.matched(x_BCTHW, low_BCtHW, label_B))
        return torch.cat(scores, dim=1)

    def matched(self, x_BCTHW: Tensor, low_BCtHW: Tensor, label_B: Tensor | None) -> Tensor:
        """Return the scores (B,t) of pairs of clips."""
        assert self.matching is not None
        both_BCtHW = torch.cat([lowered(x_BCTHW, low_BCtHW.shape[2], self.below), low_BCtHW], dim=1)
        scores_Bt: Tensor = self.matching(both_BCtHW.transpose(1, 2), label_B)
        return scores_Bt


def lowered(x_BCTHW: Tensor, frames: int, size: int) -> Tensor:
    """Return clips (B,C,frames,size,size): every so many frames, averaged down."""
    kept = x_BCTHW[:, :, :: x_BCTHW.shape[2] // frames]
    return averaged(kept, kept.shape[-1] // size)


def averaged(x_BC: Tensor, factor: int) -> Tensor:
    """Return (B,C,...) with the last two axes divided by a factor, means of what falls together."""
    flat_BNHW = x_BC.flatten(1, -3)
    return functional.avg_pool2d(flat_BNHW, factor).unflatten(1, x_BC.shape[1:-2])


def picked(x_BTCHW: Tensor, chosen_Bk: Tensor) -> Tensor:
    """Return the frames (B,k,C,H,W) of some places of each row.

    A product with zeros and ones: the gradient of an index is scattered, in no certain order.
    """
    steps_T = torch.arange(x_BTCHW.shape[1], device=x_BTCHW.device)
    share_BkT = (chosen_Bk[..., None] == steps_T).to(x_BTCHW.dtype)
    return (share_BkT @ x_BTCHW.flatten(2)).unflatten(2, x_BTCHW.shape[2:])


def critic_loss(real_BS: Tensor, fake_BS: Tensor) -> Tensor:
    """Return mean max(0, 1 - real) + mean max(0, 1 + fake), a scalar (Lim and Ye 2017)."""
    return (1 - real_BS).relu().mean() + (1 + fake_BS).relu().mean()


def generator_loss(fake_BS: Tensor) -> Tensor:
    """Return the mean of -fake, a scalar."""
    return -fake_BS.mean()
