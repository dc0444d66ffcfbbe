"""What is read off a network's output: the distribution of a frame.

`GaussianFrames` is a density of dequantised values on [0, 1] with one deviation for all of them, a
learned number; `MixtureFrames` gives 8-bit values on [-1, 1] probabilities. Noise is given, not
drawn, so that whoever draws can address it.

Shapes: B rows, C colours, P channels of a network's output, N noise channels, H rows, W columns.
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.gaussian import SMALLEST, Gaussian, total
from foreframe.networks.likelihoods import mixture_of_logistics
from foreframe.randomness import Numbers


class Frames(nn.Module, ABC):
    """How a network's output (B,P,H,W) says a frame.

    Attributes:
        channels: P.
        discrete: whether values have probabilities, and not densities.
        noise: which numbers a sample takes.
        noise_channels: N, how many of each pixel.
    """

    channels: int
    discrete: bool
    noise: Literal["normal", "gumbel"]
    noise_channels: int

    @abstractmethod
    def nll(self, x_BCHW: Tensor, raw_BPHW: Tensor) -> Tensor:
        """Return -log p (B,) of frames, in nats."""

    @abstractmethod
    def mean(self, raw_BPHW: Tensor) -> Tensor:
        """Return the mean frame (B,C,H,W)."""

    @abstractmethod
    def sample(self, raw_BPHW: Tensor, noise_BNHW: Tensor) -> Tensor:
        """Return frames (B,C,H,W) drawn with standard noise."""


class GaussianFrames(Frames):
    """N(sigmoid(raw), softplus(v)^2) with one learned v, which begins at `raw_deviation`."""

    discrete = False
    noise = "normal"

    def __init__(self, colours: int, raw_deviation: float) -> None:
        super().__init__()
        self.channels = self.noise_channels = colours
        self._first = raw_deviation
        self.raw_deviation = nn.Parameter(torch.full((), raw_deviation))

    def draw(self, numbers: Numbers) -> None:
        """Begin as the settings say."""
        self.raw_deviation.fill_(self._first)

    def nll(self, x_BCHW: Tensor, raw_BPHW: Tensor) -> Tensor:
        """Return minus the log density (B,), in nats."""
        return -total(self._gaussian(raw_BPHW).log_prob(x_BCHW))

    def mean(self, raw_BPHW: Tensor) -> Tensor:
        """Return the mean frame (B,C,H,W)."""
        return self._gaussian(raw_BPHW).mean

    def sample(self, raw_BPHW: Tensor, noise_BNHW: Tensor) -> Tensor:
        """Return frames (B,C,H,W) drawn with normal numbers."""
        return self._gaussian(raw_BPHW).sample(noise_BNHW)

    def _gaussian(self, raw_BPHW: Tensor) -> Gaussian:
        deviation = functional.softplus(self.raw_deviation) + SMALLEST
        return Gaussian(raw_BPHW.float().sigmoid(), deviation)


class MixtureFrames(Frames):
    """The discretised mixture of logistics, see `mixture_of_logistics`."""

    discrete = True
    noise = "gumbel"

    def __init__(self, colours: int, mixtures: int) -> None:
        super().__init__()
        self.mixtures = mixtures
        self.channels = mixture_of_logistics.channels(colours, mixtures)
        self.noise_channels = mixture_of_logistics.draws(colours, mixtures)

    def nll(self, x_BCHW: Tensor, raw_BPHW: Tensor) -> Tensor:
        """Return minus the log probability (B,), in nats."""
        return -mixture_of_logistics.log_prob(x_BCHW, raw_BPHW.float(), self.mixtures)

    def mean(self, raw_BPHW: Tensor) -> Tensor:
        """Return the mean frame (B,C,H,W)."""
        return mixture_of_logistics.mean(raw_BPHW.float(), self.mixtures)

    def sample(self, raw_BPHW: Tensor, noise_BNHW: Tensor) -> Tensor:
        """Return frames (B,C,H,W) of 8-bit values, drawn with Gumbel numbers."""
        return mixture_of_logistics.sample(raw_BPHW.float(), self.mixtures, noise_BNHW)
