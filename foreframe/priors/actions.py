"""What actions add to a prior: features of each code-frame, from the actions that led to it.

A code-frame's actions pass a small network of their own. So those of later frames cannot reach it,
while later code-frames see them through the trunk, as they see everything before.

Shapes: B batch, T frames, A action channels, t H W code grid, X = (T / t) A, F features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class Actions:
    """The actions that a prior is given, and by what they are standardised.

    Attributes:
        names: of the action channels.
        frames: how many frames, and so actions, a whole grid of codes covers.
        mean, std: of each channel over the training clips.
    """

    names: tuple[str, ...]
    frames: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class ActionInput(nn.Module):
    """W2 elu(W1 a + b1) + b2 for the standardised actions a of each code-frame."""

    def __init__(self, actions: Actions, grid: Grid, channels: int) -> None:
        super().__init__()
        frames, self._rows, self._columns = grid
        assert actions.frames % frames == 0, "a code-frame covers a whole number of frames"
        self._size = actions.frames // frames * len(actions.names)
        self.first = nn.Linear(self._size, channels)
        self.second = nn.Linear(channels, channels)
        self.register_buffer("mean", torch.tensor(actions.mean), persistent=False)
        # What never changed says nothing; it must not be blown up when it does.
        usual = [std if std > 0 else 1.0 for std in actions.std]
        self.register_buffer("std", torch.tensor(usual), persistent=False)

    mean: Tensor  # (A,)
    std: Tensor  # (A,)

    def forward(self, actions_BTA: Tensor) -> Tensor:
        """Return features (B,F,t,H,W) that are the same at all positions of a code-frame."""
        standard_BTA = (actions_BTA.to(self.mean.dtype) - self.mean) / self.std
        codes_BtX = standard_BTA.reshape(len(standard_BTA), -1, self._size)
        features_BtF = self.second(functional.elu(self.first(codes_BtX)))
        features_BFt11 = features_BtF.transpose(1, 2)[..., None, None]
        return features_BFt11.expand(-1, -1, -1, self._rows, self._columns)
