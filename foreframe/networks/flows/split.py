"""The conditional split of Glissov and Konradsen 2021, 8.2.4: what is set aside between levels.

Half of a level's output goes on; the other half is scored under a Gaussian that a network of the
first half and the condition says. Its deviation is a softplus, not an exponential, which the
thesis found crucial for stability.

Shapes: B rows, C channels of the half that goes on, H rows and W columns of a picture.
"""

import torch
from torch import Tensor, nn

from foreframe.networks.flows.convolutions import NormalizedConvolution, ZeroConvolution
from foreframe.networks.gaussian import Gaussian


class SplitPrior(nn.Module):
    """The condition by convolutions 3x3 and 1x1, then with the half that goes on to the Gaussian.

    Begins as N(0, log(2)^2). `condition` is how many channels the condition map has, 0 for none.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.condition = nn.Sequential()
        if condition:
            self.condition.append(NormalizedConvolution(condition, condition, 3))
            self.condition.append(NormalizedConvolution(condition, condition, 1))
        self.output = ZeroConvolution(channels + condition, 2 * channels)

    def forward(self, kept_BCHW: Tensor, condition: Tensor | None) -> Gaussian:
        """Return the Gaussian of the other half, (B,C,H,W)."""
        if condition is not None:
            kept_BCHW = torch.cat([kept_BCHW, self.condition(condition)], dim=1)
        return Gaussian.of(self.output(kept_BCHW))
