"""Gaussians with independent dimensions: what a latent, a base density or a pixel is drawn from.

Shapes: B rows, S steps, then any others, alike for means and deviations.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

# What keeps a deviation that comes out of a network above 0.
SMALLEST = 1e-8
LOG_TWO_PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Gaussian:
    """N(mean, deviation^2) in each dimension, independently of the others."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, raw: Tensor, dim: int = 1) -> Self:
        """Return the one that a network's output says, half of `dim` for each: mean, deviation.

        The deviation is softplus(raw) + 1e-8: unlike exp it grows no faster than its argument.
        Both are float32 at least, whatever a network computes in.
        """
        mean, raw = wide(raw).chunk(2, dim)
        return cls(mean, functional.softplus(raw) + SMALLEST)

    @classmethod
    def standard(cls, like: Tensor) -> Self:
        """Return N(0, 1) of a tensor's shape, type and device."""
        return cls(torch.zeros_like(like), torch.ones_like(like))

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Return mean + temperature x deviation x noise (B,...), of standard normal noise."""
        return self.mean + temperature * self.deviation * noise

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density (B,...) in each dimension, in nats."""
        standard = (value - self.mean) / self.deviation
        return -0.5 * (standard.square() + LOG_TWO_PI) - self.deviation.log()

    def moments(self, name: str) -> dict[str, Tensor]:
        """Return the means (B,S) of `NAME_mean` and of `NAME_deviation` over all but two axes."""
        parts = {f"{name}_mean": self.mean, f"{name}_deviation": self.deviation}
        return {key: values.flatten(2).mean(dim=2) for key, values in parts.items()}

    def divergence(self, other: "Gaussian") -> Tensor:
        """Return KL(self || other) in each dimension (B,...), in nats."""
        ratio = self.deviation / other.deviation
        shift = (self.mean - other.mean) / other.deviation
        return 0.5 * (ratio.square() + shift.square() - 1) - ratio.log()


def wide(values: Tensor) -> Tensor:
    """Return values (B,...) as they are, but those of 16 bits as float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def total(values: Tensor) -> Tensor:
    """Return the sum (B,) over all dimensions of each row."""
    return values.flatten(1).sum(dim=1)


def stacked(gaussians: Sequence[Gaussian]) -> Gaussian:
    """Return Gaussians (B,...), one for each step, as one (B,S,...)."""
    return Gaussian(
        torch.stack([each.mean for each in gaussians], dim=1),
        torch.stack([each.deviation for each in gaussians], dim=1),
    )


def of_steps(network: Callable[..., Gaussian], *inputs_BS: Tensor) -> Gaussian:
    """Return the Gaussian (B,S,...) that a network says of each step, in one call."""
    shape = inputs_BS[0].shape[:2]
    found = network(*(each.flatten(0, 1) for each in inputs_BS))
    return Gaussian(found.mean.unflatten(0, shape), found.deviation.unflatten(0, shape))
