"""Small flows with weights as after training, and what they are given."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from foreframe.networks.flows import Glow, Memory, starting
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator

HIDDEN = 6
STEPS = 6


def scrambled(module: nn.Module, by: float = 0.1, seed: int = 0) -> None:
    """Draw weights, then move every one: nothing is at its start, where much would cancel.

    A matrix moves by as much whatever its size, as one that is learned has no reason to become
    nearly singular.
    """
    initialize(module, generator(seed, "weights"))
    numbers = generator(seed, "scrambled")
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            scale = by / len(parameter) ** 0.5 if name.endswith("factors") else by
            parameter.add_(scale * numbers.normal(parameter.shape))


def glow(
    shape: tuple[int, int, int] = (3, 8, 8),
    levels: int = 2,
    steps: int = 2,
    conditions: tuple[int, ...] = (),
    memory: Memory = "stored",
) -> Glow:
    made = Glow(shape, levels, steps, HIDDEN, conditions, memory)
    scrambled(made)
    return made


def trained(made: Glow, x_BCHW: Tensor, conditions: Sequence[Tensor], own: Gaussian) -> list[float]:
    """Let a flow begin from pictures and learn them in a few steps; return their nats at each."""
    initialize(made, generator(0, "weights"))
    with torch.no_grad(), starting(made):
        made.log_prob(x_BCHW, conditions, own)
    adam, found = torch.optim.Adam(made.parameters(), lr=1e-3), []
    for _ in range(STEPS):
        adam.zero_grad()
        loss = -made.log_prob(x_BCHW, conditions, own).mean()
        loss.backward()
        adam.step()
        found.append(loss.item())
    return found


def picture(made: Glow, rows: int = 2) -> Tensor:
    channels, height, width = made.base_shape
    levels = len(made.noise_shapes)
    shape = (channels // 2 ** (levels + 1), height * 2**levels, width * 2**levels)
    return generator(1, "picture").normal((rows, *shape))


def maps(made: Glow, channels: Sequence[int], rows: int = 2) -> list[Tensor]:
    """Return a condition map for each level, of so many channels each."""
    numbers = generator(1, "maps")
    sizes = [shape[1:] for shape in made.noise_shapes]
    return [
        numbers.normal((rows, count, *size)) for count, size in zip(channels, sizes, strict=False)
    ]


def base(made: Glow, rows: int = 2) -> Gaussian:
    numbers = generator(1, "base")
    mean, raw = (numbers.normal((rows, *made.base_shape)) for _ in range(2))
    return Gaussian(mean, (0.3 * raw).exp())


def noise(made: Glow, rows: int = 2) -> list[Tensor]:
    numbers = generator(1, "noise")
    return [numbers.normal((rows, *shape)) for shape in made.noise_shapes]
