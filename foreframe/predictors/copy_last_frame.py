"""The baseline of every table: nothing moves after the last given frame.

Shapes: B clips, t given frames, h predicted frames, H rows, W columns, C = 3 colours.
"""

from foreframe.config.sampling import Options
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.randomness import Draws


class CopyLastFrame(Predictor):
    """Repeats the last given frame of a clip, whatever is drawn."""

    def _predict(
        self, context: Context, horizon: int, options: Options, draws: Draws
    ) -> Prediction:
        """Return the last frame `horizon` times: uint8 (B,h,H,W,C)."""
        last_B1HWC = context.frames[context.places(draws), -1:]
        return Prediction(last_B1HWC.expand(-1, horizon, -1, -1, -1).contiguous())
