"""The conditional affine coupling: half of the channels say how the other half is scaled.

y_a = x_a and y_b = (x_b + shift) alpha, with (log alpha, shift) a network of x_a and the condition
(Dinh et al. 2017; conditions as in Glissov and Konradsen 2021, 8.2.4). The thesis prints
alpha x_b + beta; the same maps, but here, as in its authors' code, the shift is in units of the
input, and the gradient of log alpha is the output itself.

log alpha = a tanh(r) + c keeps it within bounds that are learned for each channel. c begins as 0
and a as 1: r begins as 0, and were a 0 as well, as in the authors' code, neither would have a
gradient, ever, and alpha would never depend on x_a.

Shapes: B rows, C channels, a and b their halves, H rows and W columns of a picture.
"""

import torch
from torch import Tensor, nn

from foreframe.networks.flows.convolutions import NormalizedConvolution, ZeroConvolution
from foreframe.randomness import Numbers


class Coupling(nn.Module):
    """Convolutions 3x3, 1x1, 3x3 of `hidden` channels; the identity at first.

    `condition` is how many channels the condition map has, 0 for no condition.
    """

    def __init__(self, channels: int, hidden: int, condition: int) -> None:
        super().__init__()
        assert channels % 2 == 0, channels
        self.network = nn.Sequential(
            NormalizedConvolution(channels // 2 + condition, hidden, 3),
            NormalizedConvolution(hidden, hidden, 1),
            ZeroConvolution(hidden, channels),
        )
        self.bound = nn.Parameter(torch.ones(channels // 2))
        self.offset = nn.Parameter(torch.zeros(channels // 2))

    def draw(self, numbers: Numbers) -> None:
        """Begin with |log alpha| < 1."""
        self.bound.fill_(1)
        self.offset.zero_()

    def terms(self, x_a: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return (log alpha, shift), (B,C/2,H,W) each, of the half that is kept."""
        seen = x_a if condition is None else torch.cat([x_a, condition], dim=1)
        raw = self.network(seen)
        bound, offset = (value[:, None, None] for value in (self.bound, self.offset))
        return bound * raw[:, 1::2].tanh() + offset, raw[:, 0::2]

    def forward(self, x_BCHW: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return y (B,C,H,W) and log|det| (B,)."""
        x_a, x_b = x_BCHW.chunk(2, dim=1)
        log_alpha, shift = self.terms(x_a, condition)
        y_BCHW = torch.cat([x_a, (x_b + shift) * log_alpha.exp()], dim=1)
        return y_BCHW, log_alpha.flatten(1).sum(dim=1)

    def inverse(self, y_BCHW: Tensor, condition: Tensor | None) -> Tensor:
        """Return x (B,C,H,W)."""
        y_a, y_b = y_BCHW.chunk(2, dim=1)
        log_alpha, shift = self.terms(y_a, condition)
        return torch.cat([y_a, y_b * (-log_alpha).exp() - shift], dim=1)
