"""Clips for tests of findings: noise, constants, and a pattern that moves."""

import torch
from torch import Tensor

from foreframe.randomness import generator


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Return uint8 noise of a shape."""
    return generator(seed, "noise").integers(0, 256, shape).to(torch.uint8)


def moving(clips: int, frames: int, size: int = 12, seed: int = 0) -> Tensor:
    """Return clips of noise that goes one pixel to the right in every frame: (B,T,H,W,C)."""
    first = noise(clips, 1, size, size, 3, seed=seed)
    return torch.cat([first.roll(step, dims=3) for step in range(frames)], dim=1)
