"""Layers whose weight is divided by its largest singular value (Miyato et al. 2018).

    W / s,  s = |W v|,  v = W' u / |W' u|

u follows the first left singular vector by a step of power iteration, u <- W v / |W v|, whenever
`advance` is called. That is before a turn and never within a pass: all passes of a turn see one
weight, also a recurrence at each of its steps and a part that is computed again for the way back.
Shards of a batch begin from the same u and the same W, so each of them moves it alike.

Products are summed by hand: as matrix products a lower precision would change the weight itself.
Weights begin orthogonal (Saxe et al. 2014), with all singular values 1; biases as 0.

Shapes: B rows, I inputs, O outputs, N numbers of the weight that make one output.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.flows.permutation import orthogonal
from foreframe.randomness import Numbers


class Spectral(nn.Module):
    """A weight (O,...) as one of spectral norm 1.

    Attributes:
        u: (O,), near the first left singular vector.
    """

    u: Tensor

    def __init__(self, shape: tuple[int, ...], *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        self.register_buffer("u", torch.zeros(shape[0]))

    def draw(self, numbers: Numbers) -> None:
        """Let the shorter of rows and columns be orthonormal, and u a first singular vector."""
        outputs, count = len(self.weight), math.prod(self.weight.shape[1:])
        longer, shorter = max(outputs, count), min(outputs, count)
        columns = torch.from_numpy(orthogonal(numbers.normal((longer, shorter)).double().numpy()))
        weight_ON = columns if outputs > count else columns.T
        self.weight.copy_(weight_ON.reshape(self.weight.shape))
        if self.bias is not None:
            self.bias.zero_()
        self.u.copy_(numbers.normal((outputs,)))
        # Where all singular values are alike, one step leads to a first singular vector.
        self.advance()

    @torch.no_grad()
    def advance(self) -> None:
        """Move u by one step."""
        self.u.copy_(self._vectors()[0])

    def used(self) -> Tensor:
        """Return the weight as it is used, of its own shape."""
        u_O, v_N = self._vectors()
        weight_ON = self.weight.flatten(1)
        # The vectors are constants: so the gradient of a singular value is their product.
        singular = (u_O * (weight_ON * v_N).sum(dim=1)).sum()
        return self.weight / singular

    @torch.no_grad()
    def _vectors(self) -> tuple[Tensor, Tensor]:
        """Return the next u (O,) and v (N,), both of length 1."""
        weight_ON = self.weight.flatten(1)
        v_N = functional.normalize((weight_ON * self.u[:, None]).sum(dim=0), dim=0)
        return functional.normalize((weight_ON * v_N).sum(dim=1), dim=0), v_N


class Linear(Spectral):
    """A linear layer."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__((outputs, inputs), bias=bias)

    def forward(self, x_BI: Tensor) -> Tensor:
        """Return (B,O)."""
        return functional.linear(x_BI, self.used(), self.bias)


class Convolution(Spectral):
    """A convolution of two or three axes, of odd kernels, that keeps their lengths."""

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, ...], *, bias: bool = True
    ) -> None:
        super().__init__((outputs, inputs, *kernel), bias=bias)
        self.padding = tuple(side // 2 for side in kernel)

    def forward(self, x_BI: Tensor) -> Tensor:
        """Return (B,O,...) of (B,I,...)."""
        return self.convolved(x_BI, self.used(), self.bias)

    def convolved(self, x_BI: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return (B,O,...) by a weight that is at hand, such as a part of the one used."""
        convolve = functional.conv2d if weight.dim() == 4 else functional.conv3d
        found: Tensor = convolve(x_BI, weight, bias, padding=self.padding)
        return found


class Classes(Linear):
    """A vector of each class, without an index, whose gradient would be scattered."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__(classes, width, bias=False)
        self.classes = classes

    def forward(self, label_B: Tensor) -> Tensor:
        """Return (B,O)."""
        places = torch.arange(self.classes, device=label_B.device)
        return super().forward((label_B[:, None] == places).to(self.weight.dtype))


def advance(network: nn.Module) -> None:
    """Let every such layer of a network follow its weight by one step."""
    for module in network.modules():
        if isinstance(module, Spectral):
            module.advance()
