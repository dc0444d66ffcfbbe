"""Structure of rollouts: correlation of Laplacian-filtered luma with the real future, by frame.

The Laplacian leaves edges and drops colour and brightness. Xu 2022, 6.3: the first generated frame
is usable, later ones collapse, and the top codes make no difference. Published clips of that work
have 0.6 to 0.9 on the last given frame, 0.4 to 0.6 on the first generated one, 0.1 to 0.2 on the
last, and 0.7 to 0.96 between rollouts from a generated and from the true top.

Shapes: n clips, B clips of a batch, T frames, H rows, W columns, C = 3 colours.
"""

from typing import Any

from torch import Tensor

from foreframe.evaluation import columns
from foreframe.findings import light


def correlation(first_BTHWC: Tensor, second_BTHWC: Tensor) -> Tensor:
    """Return the structural correlation of each pair of uint8 frames, in -1..1: float64 (B,T)."""
    first, second = (light.laplacian(light.luma(x)) for x in (first_BTHWC, second_BTHWC))
    return light.correlation(first, second, axes=2)


def summarize(correlation_nT: Tensor, context: int) -> dict[str, Any]:
    """Return the correlation of whole clips (n,T) on three frames, and over the predicted ones.

    `context` is how many of the frames were given.
    """
    return {
        "last_given": columns.mean(correlation_nT[:, context - 1]),
        "first_predicted": columns.mean(correlation_nT[:, context]),
        "last_predicted": columns.mean(correlation_nT[:, -1]),
        "predicted": columns.mean(correlation_nT[:, context:].mean(dim=1)),
    }
