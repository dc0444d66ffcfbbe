"""Real pictures that come with scikit-image, and noisy or blurred versions of them, for metrics."""

import numpy
import torch
from skimage import data

NAMES = ("astronaut", "chelsea", "coffee")


def real(side: int) -> torch.Tensor:
    """Return the middle of three photographs as a clip, uint8 (1, 3, side, side, 3)."""
    frames = []
    for name in NAMES:
        picture = numpy.asarray(getattr(data, name)())
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        frames.append(torch.from_numpy(picture[top : top + side, left : left + side].copy()))
    return torch.stack(frames)[None]


def noisy(frames_BTHWC: torch.Tensor, strength: float) -> torch.Tensor:
    """Return uint8 frames with normal noise of `strength` grey levels added and clipped."""
    generator = torch.Generator().manual_seed(0)
    noise = strength * torch.randn(frames_BTHWC.shape, generator=generator)
    return (frames_BTHWC + noise).round().clamp(0, 255).byte()


def blurred(frames_BTHWC: torch.Tensor, times: int) -> torch.Tensor:
    """Return uint8 frames averaged `times` times over 3 x 3 pixels, borders repeated."""
    images = frames_BTHWC[0].movedim(-1, 1).double()
    for _ in range(times):
        padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
        images = torch.nn.functional.avg_pool2d(padded, 3, stride=1)
    return images.movedim(1, -1)[None].round().byte()
