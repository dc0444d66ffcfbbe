"""The mean frame is that of the training frames, whatever the blocks, and sees no clip."""

import numpy
import pytest
import torch
from numpy.typing import NDArray

from foreframe.config.sampling import Options
from foreframe.predictors import Context
from foreframe.predictors.mean_frame import TrainingMean, mean_frame
from foreframe.randomness import Draws


def predict(mean: torch.Tensor, context: torch.Tensor, horizon: int) -> torch.Tensor:
    draws = Draws.first(0, range(len(context)))
    given = Context(context, draws.clips)
    return TrainingMean(mean).predict(given, horizon, Options(), draws).frames


def frames(count: int) -> NDArray[numpy.uint8]:
    return numpy.random.default_rng(0).integers(256, size=(count, 4, 5, 3), dtype=numpy.uint8)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_blocks_do_not_matter(size: int) -> None:
    whole = frames(10)
    blocks = [whole[start : start + size] for start in range(0, 10, size)]
    mean = mean_frame(reversed(blocks))
    assert mean.dtype == torch.uint8
    expected = numpy.floor(whole.astype(float).mean(axis=0) + 0.5)
    numpy.testing.assert_array_equal(mean.numpy(), expected)


def test_long_videos_do_not_overflow() -> None:
    bright = numpy.full((300, 2, 2, 3), 255, numpy.uint8)
    assert bool((mean_frame([bright] * 10) == 255).all())


def test_no_constant_frame_has_a_smaller_squared_error() -> None:
    whole = torch.from_numpy(frames(9)).double()
    mean = mean_frame([frames(9)]).double()
    least = (whole - mean).square().mean()
    for other in (mean + 1, mean - 1, whole.median(dim=0).values):
        assert bool(least <= (whole - other).square().mean())


def test_every_future_is_the_mean() -> None:
    mean = mean_frame([frames(9)])
    context = torch.from_numpy(frames(6)).reshape(2, 3, 4, 5, 3)
    # Even without a given frame.
    for given in (context, context[:, :0]):
        assert torch.equal(predict(mean, given, 7), mean.expand(2, 7, 4, 5, 3))


def test_no_frames_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no frames"):
        mean_frame([])


def test_frames_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        mean_frame([frames(2), frames(2)[:, :, :4]])


def test_clips_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="give clips of that size"):
        predict(mean_frame([frames(2)]), torch.zeros(1, 2, 8, 8, 3, dtype=torch.uint8), 1)
