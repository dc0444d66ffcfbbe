"""The random numbers of samples: Gumbel noise that belongs to a clip's code, whoever asks for it.

The code with the largest log-probability plus Gumbel noise is an exact draw (Gumbel 1954; Maddison
2014). As the noise of each code is fixed before any code is chosen, a draw is a function of the
seed, the clip and the network alone: no batch, order or engine can change it.

Shapes: B clips, t code-frames, H rows, W columns, K codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foreframe.randomness import generator

PURPOSE = "sample"


@dataclass(frozen=True)
class Noise:
    """The noise of the clips with these numbers, one sample each.

    `window` numbers the windows of a rollout that is longer than one.
    """

    seed: int
    clips: Sequence[int]
    window: int = 0

    def draw(self, level: str, frames: range, rows: int, columns: int, codes: int) -> Tensor:
        """Return standard Gumbel noise for some code-frames of a window: float32 (B,t,H,W,K)."""
        shape = (rows, columns, codes)
        noise_BtHWK = torch.empty(len(self.clips), len(frames), *shape)
        for clip_tHWK, clip in zip(noise_BtHWK, self.clips, strict=True):
            for frame_HWK, frame in zip(clip_tHWK, frames, strict=True):
                numbers = generator(self.seed, PURPOSE, level, clip, self.window, frame)
                # float64 keeps the tail: float32 has no uniform number above 1 - 6e-8.
                uniform = torch.rand(shape, dtype=torch.float64, generator=numbers)
                frame_HWK.copy_(-torch.log(-torch.log(uniform)))
        return noise_BtHWK

    def of(self, positions: Sequence[int]) -> "Noise":
        """Return the noise of some of the clips, by their place in the batch."""
        return Noise(self.seed, [self.clips[position] for position in positions], self.window)
