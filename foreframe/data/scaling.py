"""From 8-bit frames to the numbers that a model takes, and back.

`View` says which numbers; its laws stand there. Suffixes: B clips, C channels, T frames, H height,
W width; n grey levels.
"""

import math
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from foreframe.data.normalization import Normalizer
from foreframe.data.views import View
from foreframe.randomness import Numbers

# Of ITU-R BT.601, in thousandths; grey stays as it is, since they add up to one.
LUMA = (299, 587, 114)

# Steps of the noise that dequantises: a level and its noise together fit the 24 bits of a float32,
# so nothing is rounded and the level comes back exactly.
STEPS = 1 << 15


class Scaling:
    """Turns the frames of a view into what a model takes, and back; states stay as they are."""

    def __init__(self, view: View, normalizer: Normalizer) -> None:
        self.view, self.normalizer = view, normalizer
        self.levels = 2**view.bits if view.bits else 0

    @classmethod
    def load(cls, view: View, normalization: Path) -> Self:
        """Return the scaling of a view, with the measured colours of the training frames.

        Raises:
            ArtefactError: the file is missing or damaged.
        """
        return cls(view, Normalizer.load(normalization))

    def inward(self, frames_BTHWC: Tensor, numbers: Numbers | None) -> Tensor:
        """Return float32 (B,C,T,H,W) for uint8 (B,T,H,W,3), on its device; states (B,T,S) as given.

        `numbers`, on the CPU, are those of the noise where the view dequantises.
        """
        if self.view.of == "states":
            return frames_BTHWC
        if self.view.scaling == "standard":
            return self.normalizer.normalize(frames_BTHWC)
        levels_BCTHW = self._levels(frames_BTHWC).to(torch.float32)
        if self.view.dequantise:
            assert numbers is not None, "a view that dequantises takes random numbers"
            steps = numbers.integers(0, STEPS, levels_BCTHW.shape)
            levels_BCTHW += ((steps + 0.5) / STEPS).to(levels_BCTHW.device)
        values = levels_BCTHW.div_(self._span)
        if self.view.scaling == "symmetric":
            return values.mul_(2).sub_(1)
        return values.sub_(0.5) if self.view.scaling == "centred" else values

    def outward(self, x_BCTHW: Tensor) -> Tensor:
        """Return uint8 frames (B,T,H,W,3) of what `inward` gives; grey in three equal colours.

        Rounded (down where the view dequantises) and clamped, NaN becomes 0.
        """
        if self.view.scaling == "standard":
            return self.normalizer.denormalize(x_BCTHW)
        values = x_BCTHW.float()
        if self.view.scaling == "symmetric":
            values = (values + 1) / 2
        elif self.view.scaling == "centred":
            values = values + 0.5
        values = (values * self._span).nan_to_num(nan=0.0)
        levels = (values.floor() if self.view.dequantise else values.round()).clamp(
            0, self.levels - 1
        )
        # Of few levels the brightest is still white.
        grey = (levels * 255 / (self.levels - 1)).round().to(torch.uint8)
        frames_BTHWC = grey.movedim(1, -1)
        return frames_BTHWC.expand(*frames_BTHWC.shape[:-1], 3).contiguous()

    def dimensions(self, height: int, width: int) -> int:
        """Return how many values a clip has, those of bits per dimension: grey counts once."""
        return self.view.frames * height * width * self.view.colours

    @property
    def grey_level(self) -> float:
        """The width of one grey level in the model's units; the geometric mean over colours."""
        if self.view.scaling == "standard":
            deviations = self.normalizer.std_C111.double().flatten().tolist()
            return 1 / (255 * math.prod(deviations) ** (1 / len(deviations)))
        return (2 if self.view.scaling == "symmetric" else 1) / self._span

    @property
    def _span(self) -> int:
        """How many levels lie between 0 and 1 of `unit`."""
        whole = self.view.dequantise or self.view.scaling == "centred"
        return self.levels if whole else self.levels - 1

    def _levels(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the grey level, 0 to n - 1, of each channel: (B,C,T,H,W), integers."""
        assert frames_BTHWC.dtype == torch.uint8, frames_BTHWC.dtype
        if self.view.channels == "grey":
            red, green, blue = frames_BTHWC.to(torch.int32).unbind(-1)
            luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
            frames_BTHWC = ((luma + 500) // 1000)[..., None]
        return frames_BTHWC.movedim(-1, 1).contiguous() // (256 // self.levels)
