"""Standardization of the colour channels by the mean and deviation of the training frames alone.

A frame's value p in 0..255 becomes (p / 255 - mean) / std, for each channel (Xu 2022, 4.1).
Suffixes: B clips, T frames, H height, W width, C colour channels.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from foreframe.artefacts import facts
from foreframe.errors import ArtefactError

SCHEMA = "normalization"

# A channel that is constant (as in a video with one grey level) would be divided by nothing: the
# deviation counts as one of the 255 steps at least.
SMALLEST_STD = 1 / 255


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each channel for values in [0, 1], and the pixels counted."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pixels: int


def measure(blocks: Iterable[NDArray[numpy.uint8]]) -> Statistics:
    """Return the statistics of all pixels of uint8 blocks (..., 3); the order does not matter.

    Values are counted in integers and divided once, so the result is exact to the last bit of a
    float64. The deviation divides by the number of pixels and is at least `SMALLEST_STD`.
    """
    counts_CV = numpy.zeros((3, 256), numpy.int64)
    for block in blocks:
        for channel in range(3):
            counts_CV[channel] += numpy.bincount(block[..., channel].ravel(), minlength=256)
    channels = [_moments(counts_V.tolist()) for counts_V in counts_CV]
    (red, red_std), (green, green_std), (blue, blue_std) = channels
    return Statistics((red, green, blue), (red_std, green_std, blue_std), int(counts_CV[0].sum()))


def _moments(counts: Sequence[int]) -> tuple[float, float]:
    # Python's integers have no largest value, so no sum rounds.
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    variance = (number * squares - total * total) / (number * number * 255 * 255)
    return total / (number * 255), max(math.sqrt(variance), SMALLEST_STD)


def save(path: Path, statistics: Statistics) -> None:
    """Write the statistics as facts."""
    facts.write(
        path,
        SCHEMA,
        {"mean": statistics.mean, "std": statistics.std, "pixels": statistics.pixels},
    )


class Normalizer:
    """Turns 8-bit frames into standardized clips and back."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean_C111 = torch.tensor(mean, dtype=torch.float32).reshape(3, 1, 1, 1)
        self.std_C111 = torch.tensor(std, dtype=torch.float32).reshape(3, 1, 1, 1)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the statistics of a study.

        Raises:
            ArtefactError: the file is missing, of another schema, or not three finite means and
                positive deviations.
        """
        values = facts.read(path, SCHEMA)
        mean, std = _three(values.get("mean")), _three(values.get("std"))
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ArtefactError(
                f"{path} is damaged: mean {values.get('mean')}, std {values.get('std')}. "
                f"{facts.CURE}"
            )
        return cls(mean, std)

    def normalize(self, frames_BTHWC: Tensor) -> Tensor:
        """Return clips of shape (B, 3, T, H, W), float32, for uint8 frames (B, T, H, W, 3)."""
        assert frames_BTHWC.dtype == torch.uint8, frames_BTHWC.dtype
        mean, std = self._on(frames_BTHWC.device)
        clips_BCTHW = frames_BTHWC.movedim(-1, 1).contiguous().to(torch.float32)
        return clips_BCTHW.div_(255).sub_(mean).div_(std)

    def denormalize(self, clips_BCTHW: Tensor, wrap: bool = False) -> Tensor:
        """Return uint8 frames (B, T, H, W, 3), rounded, for clips of shape (B, 3, T, H, W).

        Values outside 0..255 are clamped, NaN becomes 0. `wrap` shows the defect of the clips that
        were published with Xu 2022: values wrap round, so over-bright pixels turn dark.
        """
        mean, std = self._on(clips_BCTHW.device)
        values_BCTHW = ((clips_BCTHW.float() * std + mean) * 255).round().nan_to_num(nan=0.0)
        if wrap:
            values_BCTHW = values_BCTHW.remainder(256)
        return values_BCTHW.clamp(0, 255).to(torch.uint8).movedim(1, -1).contiguous()

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return self.mean_C111.to(device), self.std_C111.to(device)


def _three(values: object) -> list[float]:
    """Return three finite numbers, or nothing if `values` is something else."""
    if not isinstance(values, list) or len(values) != 3:
        return []
    return [value for value in values if type(value) in (int, float) and math.isfinite(value)]
