"""ActNorm (Kingma and Dhariwal 2018): a scale and a bias per channel that begin from data.

y = s (x + b), log|det| = H W sum(log s). The first data seen under `starting` give b = -mean and
s = 1 / (deviation + 1e-6), over rows and places, so that y has mean 0 and deviation 1; from then on
both are ordinary parameters, and no batch changes another's numbers.

Shapes: B rows, C channels, H rows and W columns of a picture.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from foreframe.randomness import Numbers

SMALLEST = 1e-6


class ActNorm(nn.Module):
    """s (x + b) per channel; the identity until it is started.

    Attributes:
        bias: b (C,).
        log_scale: log s (C,), so that s stays above 0.
        started: whether data have set them; travels with the weights.
        starting: whether the data that come now may set them.
    """

    started: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.starting = False

    def draw(self, numbers: Numbers) -> None:
        """Begin as the identity, not yet started."""
        self.bias.zero_()
        self.log_scale.zero_()
        self.started.fill_(0)

    @torch.no_grad()
    def start(self, x_BCHW: Tensor) -> None:
        """Take b and s from data, if this is the time and they were not taken before."""
        if not self.starting or self.started:
            return
        deviation_C, mean_C = torch.std_mean(x_BCHW, dim=(0, 2, 3), correction=0)
        self.bias.copy_(-mean_C)
        self.log_scale.copy_(-(deviation_C + SMALLEST).log())
        self.started.fill_(1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return y (B,C,H,W)."""
        self.start(x_BCHW)
        scale, bias = (value[:, None, None] for value in (self.log_scale.exp(), self.bias))
        return scale * (x_BCHW + bias)


@contextlib.contextmanager
def starting(module: nn.Module) -> Iterator[None]:
    """Let every ActNorm in a module that has not started take its numbers from what it sees."""
    parts = [part for part in module.modules() if isinstance(part, ActNorm)]
    for part in parts:
        part.starting = True
    try:
        yield
    finally:
        for part in parts:
            part.starting = False
