"""The conditional base distribution of Glissov and Konradsen 2021, chapter 5: N(mu_b, sigma_b^2).

A network of the state says the Gaussian under which the last latent of a flow is scored. The
thesis says softplus for its deviation, its authors' code an exponential.

Shapes: B rows, I channels of the state, C of the latent, H rows and W columns of both.
"""

from typing import Literal

from torch import Tensor, nn

from foreframe.networks.flows.convolutions import NormalizedConvolution, ZeroConvolution
from foreframe.networks.gaussian import Gaussian, wide

Deviation = Literal["softplus", "exp"]


class BaseDistribution(nn.Module):
    """Convolutions 3x3 to `hidden`, to half of it, and to mean and deviation.

    Begins as N(0, log(2)^2), with an exponential as N(0, 1).
    """

    def __init__(self, inputs: int, channels: int, hidden: int, deviation: Deviation) -> None:
        super().__init__()
        self.network = nn.Sequential(
            NormalizedConvolution(inputs, hidden, 3),
            NormalizedConvolution(hidden, hidden // 2, 3),
            ZeroConvolution(hidden // 2, 2 * channels),
        )
        self.deviation = deviation

    def forward(self, state_BIHW: Tensor) -> Gaussian:
        """Return the Gaussian of the latent, (B,C,H,W)."""
        raw = self.network(state_BIHW)
        if self.deviation == "softplus":
            return Gaussian.of(raw)
        mean, log_deviation = wide(raw).chunk(2, dim=1)
        return Gaussian(mean, log_deviation.exp())
