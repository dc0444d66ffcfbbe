"""Starting weights from a generator: the framework's own distribution, without global seeding."""

import math

import torch
from torch import Tensor, nn


def initialize(model: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights and biases of a network of convolutions anew, in the order of its modules.

    Uniform on +-1/sqrt(n), n the size of a weight's first slice: what PyTorch's convolutions do.
    The network must be on the CPU, where the generator is.
    """
    for module in model.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(weight, nn.Parameter) and isinstance(bias, nn.Parameter):
            draw(weight, bias, generator)


def draw(weight: Tensor, bias: Tensor, generator: torch.Generator | None) -> None:
    """Fill one layer's weight and bias; a generator of None is the framework's global one."""
    bound = 1 / math.sqrt(weight[0].numel())
    with torch.no_grad():
        weight.uniform_(-bound, bound, generator=generator)
        bias.uniform_(-bound, bound, generator=generator)
