"""The baseline that has seen the training set but not the clip: its mean frame, for ever.

The mean of the training frames is the best constant guess in squared error, so a model that does
worse far into the future has learnt less than where things usually are. A mean of the given frames
is left out: it differs from copying the last one by blur alone.

Shapes: B clips, t given frames, h predicted frames, N training frames, H rows, W columns, C = 3
colours.
"""

from collections.abc import Iterable

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.randomness import Draws


def mean_frame(blocks_NHWC: Iterable[NDArray[numpy.uint8]]) -> Tensor:
    """Return the rounded mean of each pixel and colour: uint8 (H, W, C) for uint8 blocks.

    Values are summed as integers and rounded once (halves upwards), so neither the size nor the
    order of the blocks matters.

    Raises:
        UserError: there is no frame, or frames differ in size.
    """
    count, total_HWC = 0, numpy.zeros((), numpy.int64)
    for block_NHWC in blocks_NHWC:
        if count and block_NHWC.shape[1:] != total_HWC.shape:
            raise UserError(
                f"frames of {block_NHWC.shape[1:]} follow frames of {total_HWC.shape}: "
                "a mean frame needs one size."
            )
        total_HWC = total_HWC + block_NHWC.sum(axis=0, dtype=numpy.int64)
        count += len(block_NHWC)
    if not count:
        raise UserError("the mean of no frames is not defined: give at least one training frame.")
    return torch.from_numpy(((2 * total_HWC + count) // (2 * count)).astype(numpy.uint8))


class TrainingMean(Predictor):
    """Shows the mean training frame, whatever is given; so it needs nothing to go on from."""

    generates = True

    def __init__(self, mean_HWC: Tensor) -> None:
        """Take the mean frame, uint8, as `mean_frame` returns it."""
        self.mean_HWC = mean_HWC

    def _predict(
        self, context: Context, horizon: int, options: Options, draws: Draws
    ) -> Prediction:
        """Return the mean frame `horizon` times for each clip: uint8 (B,h,H,W,C).

        Raises:
            UserError: the given frames have another size than the training frames.
        """
        shape = tuple(context.frames.shape[2:])
        if shape != self.mean_HWC.shape:
            raise UserError(
                f"frames of {shape} cannot be predicted by the mean of training frames of "
                f"{tuple(self.mean_HWC.shape)}: give clips of that size."
            )
        return Prediction(self.mean_HWC.expand(len(draws), horizon, -1, -1, -1).contiguous())
