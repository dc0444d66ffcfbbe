"""Layers of generators and their critics, and what keeps a critic from being steep.

Progressive growing (Karras et al. 2018) gave the first four, SAGAN (Zhang et al. 2019) the
attention, WGAN-GP (Gulrajani et al. 2017) the penalty. A critic's gradient is itself differentiated
here, so there are only operations whose second derivatives torch has, and repeats on a GPU.

Shapes: B rows of a batch, C channels, D attended channels, H W sides of a map, N = H*W, F features.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers
from foreframe.roots import root

SLOPE = 0.2  # of the LeakyReLU
EPSILON = 1e-8


class _Scaled(nn.Module):
    """A weight that begins with He's deviation sqrt(2 / n), n the numbers that make one output.

    `equalised`: it is stored as N(0,1) and scaled whenever it is used. Adam moves every number
    about equally far, so that all layers then learn equally fast, whatever their width.
    """

    def __init__(self, shape: tuple[int, ...], *, equalised: bool, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        self.equalised = equalised
        self.scale = math.sqrt(2 / math.prod(shape[1:]))

    def draw(self, numbers: Numbers) -> None:
        """Fill the weight, and the bias with zeros."""
        self.weight.copy_(numbers.normal(self.weight.shape))
        if not self.equalised:
            self.weight.mul_(self.scale)
        if self.bias is not None:
            self.bias.zero_()

    def used(self) -> Tensor:
        """Return the weight as it is used, of its own shape."""
        return self.weight * self.scale if self.equalised else self.weight


class Convolution(_Scaled):
    """A convolution of an odd kernel that keeps the sides of a map."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, equalised: bool, bias: bool = True
    ) -> None:
        super().__init__((outputs, inputs, kernel, kernel), equalised=equalised, bias=bias)
        self.padding = kernel // 2

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return (B,outputs,H,W)."""
        return functional.conv2d(x_BCHW, self.used(), self.bias, padding=self.padding)


class Linear(_Scaled):
    """A linear layer."""

    def __init__(self, inputs: int, outputs: int, *, equalised: bool) -> None:
        super().__init__((outputs, inputs), equalised=equalised, bias=True)

    def forward(self, x_BF: Tensor) -> Tensor:
        """Return (B,outputs)."""
        return functional.linear(x_BF, self.used(), self.bias)


def activate(x: Tensor) -> Tensor:
    """Return the LeakyReLU of a tensor of any shape."""
    return functional.leaky_relu(x, SLOPE)


def pixel_norm(x: Tensor) -> Tensor:
    """Return (B,C,...), the channels of each position divided by their root mean square."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + EPSILON)


def with_deviation(x_BCHW: Tensor, size: int) -> Tensor:
    """Return (B,C+1,H,W): one channel more, in which all of a row's numbers are its group's spread.

    That is the deviation of each feature over the group, averaged over the features; rows that are
    alike have sqrt(EPSILON), where its gradient still exists. A batch of any size falls into
    ceil(B / size) groups of neighbours, whose sizes differ by one at most.
    """
    count = -(-len(x_BCHW) // size)
    small, larger = divmod(len(x_BCHW), count)
    split = larger * (small + 1)
    parts = [(x_BCHW[:split], small + 1), (x_BCHW[split:], small)]
    found_B = torch.cat([_deviation(part, rows) for part, rows in parts if len(part)])
    channel = found_B[:, None, None, None].expand(-1, 1, *x_BCHW.shape[2:])
    return torch.cat([x_BCHW, channel], dim=1)


def _deviation(x_BCHW: Tensor, rows: int) -> Tensor:
    groups = x_BCHW.unflatten(0, (-1, rows))
    variance = groups.var(dim=1, unbiased=False)
    found = root(variance + EPSILON).flatten(1).mean(dim=1)
    return found[:, None].expand(-1, rows).flatten()


class SelfAttention(Recomputed):
    """x + gamma * o, where o at a position is a mean over all of them (Coppock 2020, Fig. 3.4).

    s_ij = f(x_i) . g(x_j), b_ji = softmax over i, o_j = W_v sum_i b_ji h(x_i); f, g and h have an
    eighth of the channels. gamma begins as 0, so the layer begins as nothing.
    """

    def __init__(self, channels: int, *, equalised: bool) -> None:
        super().__init__()
        inside = max(1, channels // 8)

        def matrix(inputs: int, outputs: int) -> Convolution:
            return Convolution(inputs, outputs, 1, equalised=equalised, bias=False)

        self.f, self.g, self.h = (matrix(channels, inside) for _ in range(3))
        self.v = matrix(inside, channels)
        self.gamma = nn.Parameter(torch.zeros(()))

    def draw(self, numbers: Numbers) -> None:
        """Set gamma to 0."""
        self.gamma.zero_()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        f_BDN, g_BDN, h_BDN = (each(x_BCHW).flatten(2) for each in (self.f, self.g, self.h))
        # Not torch's fused attention: it has no second derivative.
        share_BNN = (f_BDN.transpose(1, 2) @ g_BDN).softmax(dim=1)
        seen = (h_BDN @ share_BNN).unflatten(2, x_BCHW.shape[2:])
        return x_BCHW + self.gamma * self.v(seen)


def gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the mean of (slope - 1)^2 and the mean slope of a critic, scalars.

    The slope is the length of the gradient of `score`, which gives (B,), at u real + (1 - u) fake;
    u (B,) is a number from 0 to 1 of each row. Both come without the graph that made `real` and
    `fake`, (B,...), and with that of the critic's weights.
    """
    share = share_B.view(-1, *[1] * (real.ndim - 1))
    # Not lerp, which takes no mixture of precisions.
    between = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    # Torch numbers a graph's nodes by thread, and sums gradients in the order of these numbers. A
    # GPU's gradients have a thread of their own: how its numbers mix with those of the forward pass
    # would depend on all that the process did before, which a resumed run did not do.
    with torch.enable_grad(), torch.autograd.set_multithreading_enabled(False):
        (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    length_B = slope.flatten(1).norm(dim=1)
    return (length_B - 1).square().mean(), length_B.detach().mean()


def drift(real_B: Tensor) -> Tensor:
    """Return the mean square of a critic's scores (B,), a scalar.

    Only their differences count for the game, and without this they wander off.
    """
    return real_B.square().mean()
