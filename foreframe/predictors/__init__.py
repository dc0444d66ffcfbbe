"""Predictors: everything that continues given frames, behind one interface.

Shapes: B clips, t given frames, h predicted frames, H rows, W columns, C = 3 colours.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from foreframe.config.sampling import Choice


class Predictor(ABC):
    """Continues clips by any number of frames."""

    @abstractmethod
    def predict(
        self,
        context_BtHWC: Tensor,
        horizon: int,
        choice: Choice,
        seed: int,
        clips: Sequence[int],
    ) -> Tensor:
        """Return one future of each clip: uint8 (B,h,H,W,C), h = `horizon`, for uint8 frames.

        Where a future is drawn, its random numbers are named by the seed and by the clip's number
        in `clips`, so the other clips of the batch have no influence on it.
        """
