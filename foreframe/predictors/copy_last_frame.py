"""The baseline of every table: nothing moves after the last given frame.

Shapes: B clips, t given frames, h predicted frames, H rows, W columns, C = 3 colours.
"""

from collections.abc import Sequence

from torch import Tensor

from foreframe.config.sampling import Choice
from foreframe.predictors import Predictor


class CopyLastFrame(Predictor):
    """Repeats the last given frame; choice, seed and numbers of the clips have no influence."""

    def predict(
        self,
        context_BtHWC: Tensor,
        horizon: int,
        choice: Choice,
        seed: int,
        clips: Sequence[int],
    ) -> Tensor:
        """Return the last frame `horizon` times: uint8 (B,h,H,W,C)."""
        return context_BtHWC[:, -1:].expand(-1, horizon, -1, -1, -1).contiguous()
