"""Features of single frames by the fixed random network, for sets of pictures without weights.

The network is that of the random video distance; a frame is shown to it as a clip that stands
still, so the features that see change alone are constant and count for nothing.

Shapes: B clips, T frames, N = B T pictures, H rows, W columns, C = 3 colours.
"""

import torch
from torch import Tensor

from foreframe.metrics.random_video_distance import FEWEST_FRAMES, RandomVideoFeatures

NETWORK = (
    "64 features of a fixed random convolutional network, that of random_video_distance, shown "
    "each frame as a still clip of 7"
)


class StillFeatures:
    """The random network over pictures, the same weights on every machine and in every version.

    Attributes:
        size: the number of features, 64.
        digest: SHA-256 of the weights, 64 hexadecimal digits, for the protocol.
    """

    size = RandomVideoFeatures.size

    def __init__(self, device: torch.device) -> None:
        self._network = RandomVideoFeatures(device)
        self.digest = self._network.digest

    @torch.no_grad()
    def __call__(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the features of clips, one row for each frame, float64 (B, T, 64).

        Raises:
            UserError: wrong frames.
        """
        stills = frames_BTHWC.flatten(0, 1)[:, None].expand(-1, FEWEST_FRAMES, -1, -1, -1)
        return self._network(stills).unflatten(0, frames_BTHWC.shape[:2])[:, :, 0]
