"""Frames that priors model at once, and the codes that cover them: how many of either are known.

A code covers several frames, on one level more than on another, so a context is whole codes of the
level whose codes cover most.

Shapes: N clips, B futures, T frames or code-frames, t given ones, n any number of frames, H rows, W
columns, C = 3 colours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from foreframe.errors import UserError

Latents = Mapping[str, Tensor]  # codes (B,T,H,W) int64 by level


@dataclass(frozen=True)
class Window:
    """How many frames are modelled at once, and how many one code covers, by level."""

    frames: int
    strides: Mapping[str, int]

    @property
    def cover(self) -> int:
        """How many frames one code covers, of the level whose codes cover most."""
        return max(self.strides.values())

    @property
    def half(self) -> int:
        """Half a window in whole codes, the context of Xu 2022."""
        return max(self.cover, self.frames // 2 // self.cover * self.cover)

    def is_filled(self, given: int, horizon: int) -> bool:
        """Whether a clip is exactly what the priors model, so that its codes can be compared."""
        return self.before(given) == 0 and given + horizon == self.frames

    def before(self, given: int) -> int:
        """Return how many copies of the first frame fill the first code of the given ones."""
        return -given % self.cover

    def covered(self, given: int) -> int:
        """Return how many frames the given codes cover.

        Raises:
            UserError: that leaves none to be predicted.
        """
        covered = self.before(given) + given
        if covered >= self.frames:
            raise UserError(
                f"{given} frames are given; whole codes of so many cover {covered}, and the priors "
                f"model {self.frames} at once. Give at most {self.frames - self.cover}."
            )
        return covered

    def filled(self, frames_NTHWC: Tensor, given: int) -> Tensor:
        """Return frames that begin with `given` ones, filled up to whole codes at both ends.

        In front with copies of the first frame, at the end with copies of the last.
        """
        before = self.before(given)
        after = -(before + frames_NTHWC.shape[1]) % self.cover
        first, last = frames_NTHWC[:, :1], frames_NTHWC[:, -1:]
        return torch.cat(
            [
                first.expand(-1, before, *[-1] * 3),
                frames_NTHWC,
                last.expand(-1, after, *[-1] * 3),
            ],
            dim=1,
        )

    def code_frames(self, level: str, frames: int) -> int:
        """Return how many code-frames of a level cover some frames.

        Raises:
            UserError: they cover another number of frames.
        """
        each = self.strides[level]
        if frames % each:
            raise UserError(
                f"A code of the level {level} covers {each} frames, so {frames} frames cannot be "
                f"given. Give a multiple of {each}."
            )
        return frames // each

    def first(self, latents: Latents, frames: int) -> dict[str, Tensor]:
        """Return the codes (B,t,H,W) of each level that cover the first `frames` frames of clips.

        Raises:
            UserError: code-frames cover another number of frames.
        """
        return {
            level: codes[:, : self.code_frames(level, frames)] for level, codes in latents.items()
        }

    def last(self, latents: Latents, frames: int) -> dict[str, Tensor]:
        """Return the codes (B,t,H,W) that cover the last frames, one or more; see `first`."""
        return {
            level: codes[:, -self.code_frames(level, frames) :] for level, codes in latents.items()
        }


def held(values_Bn: Tensor, first: int, count: int) -> Tensor:
    """Return `count` actions or frames from number `first` on, the last one as long as it takes.

    Shape (B,n,...) becomes (B,count,...).
    """
    numbers = torch.arange(first, first + count).clamp(max=values_Bn.shape[1] - 1)
    return values_Bn[:, numbers]
