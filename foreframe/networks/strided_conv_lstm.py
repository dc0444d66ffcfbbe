"""A convolutional LSTM whose input may have another size than its state (Mastropietro 2017).

    gates = map(x) + conv(h) + b,  i, f, o = sigmoid, g = tanh of them
    c' = f c + i g,  h' = o tanh(c')

The map from input to state is a strided or a transposed convolution, so one layer halves or doubles
a picture and recurs. How it begins is what the author's public code does: a forget gate that is
open, a small orthogonal kernel between states, states that are learned place by place. With
`normalized` what the input says, what the state says, and the memory that is shown go through batch
normalisations that begin small (Cooijmans et al. 2017); all steps share their moving averages.

Shapes: B rows, T steps, I channels of the input, C of the state, H rows and W columns of the state.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from foreframe.networks.conv_lstm import KERNEL, LearnedState, Pair
from foreframe.networks.flows.permutation import orthogonal
from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers

DEVIATION = 0.05  # of the weights of an input map
SHARE = 0.1  # what an orthogonal kernel is multiplied by, and where normalised scales begin
GATES = 4


class Strided(nn.Conv2d):
    """An input map (B,I,H',W') to the gates of C channels, that keeps the size or lowers it."""

    def __init__(self, inputs: int, hidden: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__(inputs, GATES * hidden, kernel, stride, padding, bias=False)

    def draw(self, numbers: Numbers) -> None:
        """Begin as N(0, DEVIATION^2)."""
        _draw(self, numbers)


class Transposed(nn.ConvTranspose2d):
    """An input map (B,I,H',W') to the gates of C channels, that raises the size.

    `more` rows and columns are added below and on the right.
    """

    def __init__(
        self, inputs: int, hidden: int, kernel: int, stride: int, padding: int, more: int
    ) -> None:
        super().__init__(inputs, GATES * hidden, kernel, stride, padding, more, bias=False)

    def draw(self, numbers: Numbers) -> None:
        """Begin as N(0, DEVIATION^2)."""
        _draw(self, numbers)


class StridedConvLSTM(Recomputed):
    """The layer, over all steps of a sequence or over the next ones.

    A state of a single place has no neighbours: its kernel is 1x1.

    Attributes:
        hidden: channels C of the state.
    """

    def __init__(
        self, inward: Strided | Transposed, size: tuple[int, int], *, normalized: bool
    ) -> None:
        super().__init__()
        self.hidden = hidden = inward.out_channels // GATES
        self.inward = inward
        self.between = _Between(hidden, KERNEL if max(size) > 1 else 1)
        self.bias = nn.Parameter(torch.zeros(GATES * hidden))
        self.first_h, self.first_c = LearnedState(hidden, *size), LearnedState(hidden, *size)
        self.norm_x, self.norm_h, self.norm_c = (
            _Small(channels, shifted=shifted) if normalized else nn.Identity()
            for channels, shifted in ((4 * hidden, False), (4 * hidden, False), (hidden, True))
        )

    def draw(self, numbers: Numbers) -> None:
        """Begin with gates at their middle, and the forget gate open."""
        self.bias.zero_()
        self.bias[self.hidden : 2 * self.hidden] = 1.0

    def forward(self, x_BTIHW: Tensor, state: Pair | None) -> tuple[Tensor, Pair]:
        """Return h (B,T,C,H,W) after each step, and (h, c) after the last; None: begin."""
        rows = len(x_BTIHW)
        h_BCHW, c_BCHW = state or (self.first_h(rows), self.first_c(rows))
        told_BTGHW = self.norm_x(self.inward(x_BTIHW.flatten(0, 1))).unflatten(0, (rows, -1))
        shown = []
        for told_BGHW in (told_BTGHW + self.bias[:, None, None]).unbind(dim=1):
            gates = told_BGHW + self.norm_h(self.between(h_BCHW))
            i, f, o, g = gates.chunk(GATES, dim=1)
            c_BCHW = f.sigmoid() * c_BCHW + i.sigmoid() * g.tanh()
            h_BCHW = o.sigmoid() * self.norm_c(c_BCHW).tanh()
            shown.append(h_BCHW)
        return torch.stack(shown, dim=1), (h_BCHW, c_BCHW)


class _Between(nn.Conv2d):
    """From state to state: for each gate the rows of its kernel are orthogonal, and short."""

    def __init__(self, hidden: int, kernel: int) -> None:
        super().__init__(hidden, GATES * hidden, kernel, padding=kernel // 2, bias=False)

    def draw(self, numbers: Numbers) -> None:
        for kernel_CCkk in self.weight.chunk(GATES):
            normal = numbers.normal(kernel_CCkk.flatten(1).shape).double()
            rows = torch.from_numpy(orthogonal(normal.T.numpy()).T)
            kernel_CCkk.copy_(SHARE * rows.reshape(kernel_CCkk.shape))


class Norm(nn.BatchNorm2d):
    """A batch normalisation that sees the only value of a channel by its moving averages."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return (B,C,H,W)."""
        if not self.training or x_BCHW.numel() > x_BCHW.shape[1]:
            return super().forward(x_BCHW)
        return functional.batch_norm(
            x_BCHW, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class _Small(Norm):
    """One that begins small; what is added up with a bias needs no shift of its own."""

    def __init__(self, channels: int, *, shifted: bool) -> None:
        super().__init__(channels)
        if not shifted:
            self.register_parameter("bias", None)

    def draw(self, numbers: Numbers) -> None:
        self.weight.fill_(SHARE)
        if self.bias is not None:
            self.bias.zero_()


def _draw(module: Strided | Transposed, numbers: Numbers) -> None:
    started = DEVIATION * numbers.normal(module.weight.shape)
    if parametrize.is_parametrized(module):
        module.weight = started  # its length and its direction, under weight normalisation
    else:
        module.weight.copy_(started)
