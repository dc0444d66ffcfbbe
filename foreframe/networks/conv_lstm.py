"""Recurrent cells whose states are pictures: the convolutional LSTM (Shi et al. 2015).

The plain cell is without peepholes, which never trained in the authors' code of Glissov and
Konradsen 2021; the normalised one (Castrejon et al. 2019) normalises what the input says, what the
state says, and the memory, each by itself.

Shapes: B rows, I channels of the input, C of the state, H rows and W columns of a picture.
"""

import torch
from torch import Tensor, nn

from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers

# What a cell keeps: the state h that is seen and the memory c, (B,C,H,W) each.
Pair = tuple[Tensor, Tensor]

KERNEL = 3


class ConvLSTM(Recomputed):
    """One convolution of [x; h] gives all gates; 36 (I + C) C + 4 C weights with a 3x3 kernel.

    i, f, o = sigmoid, g = tanh of it; c' = f c + i g, h' = o tanh(c').

    Attributes:
        hidden: channels C of the state.
    """

    def __init__(self, inputs: int, hidden: int, kernel: int = KERNEL) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(inputs + hidden, 4 * hidden, kernel, padding=kernel // 2)

    def forward(self, x_BIHW: Tensor, state: Pair) -> Pair:
        """Return the next (h, c), each (B,C,H,W)."""
        h_BCHW, c_BCHW = state
        gates = self.gates(torch.cat([x_BIHW, h_BCHW], dim=1))
        i, f, o, g = gates.chunk(4, dim=1)
        c_BCHW = f.sigmoid() * c_BCHW + i.sigmoid() * g.tanh()
        return o.sigmoid() * c_BCHW.tanh(), c_BCHW


class NormalizedConvLSTM(Recomputed):
    """Gates GN(conv(x)) + GN(conv(h)), memory c' = GN(f c + i g); GN has a scale and a shift.

    Both convolutions have a bias too: with them the thesis's parameter counts come out exactly.

    Attributes:
        hidden: channels C of the state.
    """

    def __init__(self, inputs: int, hidden: int, groups: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input_gates = _normalized(inputs, hidden, groups)
        self.state_gates = _normalized(hidden, hidden, groups)
        self.memory = nn.GroupNorm(groups, hidden)

    def forward(self, x_BIHW: Tensor, state: Pair) -> Pair:
        """Return the next (h, c), each (B,C,H,W)."""
        h_BCHW, c_BCHW = state
        gates = self.input_gates(x_BIHW) + self.state_gates(h_BCHW)
        i, f, o, g = gates.chunk(4, dim=1)
        c_BCHW = self.memory(f.sigmoid() * c_BCHW + i.sigmoid() * g.tanh())
        return o.sigmoid() * c_BCHW.tanh(), c_BCHW


class LearnedState(nn.Module):
    """Where a chain of states begins: learned, 0 at first, and the same for every row."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(shape))

    def draw(self, numbers: Numbers) -> None:
        """Begin as 0."""
        self.value.zero_()

    def forward(self, rows: int) -> Tensor:
        """Return (B, *shape)."""
        return self.value.expand(rows, *self.value.shape)


def _normalized(inputs: int, hidden: int, groups: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, 4 * hidden, KERNEL, padding=KERNEL // 2)
    return nn.Sequential(convolution, nn.GroupNorm(groups, 4 * hidden))
