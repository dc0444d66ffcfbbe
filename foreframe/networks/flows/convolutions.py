"""The two convolutions that the networks inside a flow are made of (Kingma and Dhariwal 2018).

The scales that follow a convolution are multiplied into its weights: one map less to compute and
to keep for the way back.

Shapes: B rows, I channels in, O out, H rows and W columns of a picture.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.flows.actnorm import ActNorm
from foreframe.randomness import Numbers

DEVIATION = 0.05
# exp(3 logs) learns faster than the weights that it multiplies.
FASTER = 3.0


class NormalizedConvolution(nn.Module):
    """relu(ActNorm(conv(x))), without a bias of the convolution's own; weights ~ N(0, 0.05^2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.norm = ActNorm(outputs)

    def draw(self, numbers: Numbers) -> None:
        """Draw the weights."""
        self.weight.copy_(DEVIATION * numbers.normal(self.weight.shape))

    def forward(self, x_BIHW: Tensor) -> Tensor:
        """Return (B,O,H,W)."""
        padding = self.weight.shape[-1] // 2
        if self.norm.starting:
            self.norm.start(functional.conv2d(x_BIHW, self.weight, padding=padding))
        scale_O = self.norm.log_scale.exp()
        weight, bias_O = self.weight * scale_O[:, None, None, None], scale_O * self.norm.bias
        return functional.conv2d(x_BIHW, weight, bias_O, padding=padding).relu_()


class ZeroConvolution(nn.Module):
    """exp(3 logs) conv3x3(x), with weights, biases and logs that begin as 0."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.log_scale = nn.Parameter(torch.zeros(outputs))

    def draw(self, numbers: Numbers) -> None:
        """Begin as 0."""
        for parameter in self.parameters():
            parameter.zero_()

    def forward(self, x_BIHW: Tensor) -> Tensor:
        """Return (B,O,H,W)."""
        scale_O = (FASTER * self.log_scale).exp()
        weight, bias_O = self.weight * scale_O[:, None, None, None], scale_O * self.bias
        return functional.conv2d(x_BIHW, weight, bias_O, padding=1)
