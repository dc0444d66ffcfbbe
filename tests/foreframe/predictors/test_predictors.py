"""Laws of the one interface: what every predictor refuses, and what a learned one can do."""

import pytest
import torch

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.predictors import Context, Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.mean_frame import TrainingMean
from foreframe.randomness import Draws
from tests.foreframe.predictors.toy import Heat, Histogram, Mixture, learned
from tests.stages.evaluation_study import ARGMAX


def frames(*shape: int) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(0)
    return torch.randint(256, (*shape, 4, 5, 3), generator=numbers, dtype=torch.uint8)


MEAN = TrainingMean(frames(1)[0])


def test_the_baseline_repeats_the_last_frame_of_each_futures_clip() -> None:
    context, draws = Context(frames(2, 3), [8, 9]), Draws(0, [9, 8, 9], [0, 0, 1])
    future = CopyLastFrame().predict(context, 5, Options(), draws).frames
    assert future.shape == (3, 5, 4, 5, 3)
    for row, clip in enumerate((1, 0, 1)):
        assert all(torch.equal(future[row, step], context.frames[clip, -1]) for step in range(5))


def test_a_predictor_that_cannot_generate_says_so() -> None:
    nothing, draws = Context(frames(2, 0), [0, 1]), Draws.first(0, [0, 1])
    with pytest.raises(UserError, match=r"CopyLastFrame .* cannot generate .*context to 1"):
        CopyLastFrame().predict(nothing, 5, Options(), draws)
    assert MEAN.predict(nothing, 5, Options(), draws).frames.shape == (2, 5, 4, 5, 3)


@pytest.mark.parametrize("predictor", [CopyLastFrame(), MEAN])
@pytest.mark.parametrize("channels", [1, 4])
def test_frames_without_three_colours_are_refused(predictor: Predictor, channels: int) -> None:
    context = Context(frames(1, 2)[..., :1].expand(-1, -1, -1, -1, channels), [0])
    with pytest.raises(UserError, match=rf"frames of {channels} channels and takes 3.*three times"):
        predictor.predict(context, 1, Options(), Draws.first(0, [0]))


@pytest.mark.parametrize("predictor", [CopyLastFrame(), MEAN])
def test_options_of_another_predictor_are_refused(predictor: Predictor) -> None:
    context, draws = Context(frames(1, 2), [0]), Draws.first(0, [0])
    with pytest.raises(UserError, match=r"to draw by Choice, which it does not know. Give Options"):
        predictor.predict(context, 1, ARGMAX, draws)


def test_a_likelihood_is_refused_by_whom_has_none() -> None:
    context, draws = Context(frames(1, 2), [0]), Draws.first(0, [0])
    assert CopyLastFrame().likelihood_kind == "none"
    with pytest.raises(UserError, match=r"CopyLastFrame has no likelihood.*likelihood: null"):
        CopyLastFrame().likelihood(context, frames(1, 2), draws)


def test_a_learned_predictor_draws_from_what_it_learned() -> None:
    data = frames(6)
    toy, context = Histogram(learned(data)), Context(frames(1, 0), [4])
    draws = Draws.each(0, [4], range(50))
    drawn = toy.predict(context, 2, Heat(temperature=0.2), draws).frames
    assert drawn.shape == (50, 2, 4, 5, 3)
    known = (drawn[:, :, None] == data).any(dim=2)
    assert known.float().mean() > 0.999
    some = draws.of([7, 3])
    again = toy.predict(context, 2, Heat(temperature=0.2), some).frames
    assert torch.equal(again, drawn[[7, 3]])


def test_a_latent_is_drawn_once_for_all_frames_of_a_future() -> None:
    dark, bright = (frames(6) // 2 + least for least in (0, 128))
    toy = Mixture([learned(each, count=1e-9) for each in (dark, bright)])
    draws = Draws.each(0, [4], range(200))
    future = toy.predict(Context(frames(1, 0), [4]), 3, Options(), draws).frames
    is_bright = (future >= 128).flatten(1)
    assert torch.equal(is_bright.all(dim=1), is_bright.any(dim=1))
    # Both tables are as likely: 200 fair coins, within four standard deviations.
    assert 72 <= int(is_bright.all(dim=1).sum()) <= 128
