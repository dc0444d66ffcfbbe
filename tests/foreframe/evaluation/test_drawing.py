"""What is drawn is named by its own clips, and by weights wherever they lie."""

from pathlib import Path

import torch

from foreframe.config.sampling import Choice, Drawing
from foreframe.evaluation.drawing import Task, predict, weights_digest
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.randomness import Draws
from tests.foreframe.predictors import test_recurrent as toy
from tests.stages import evaluation_study as tiny


def test_a_context_has_what_belongs_to_its_own_clips() -> None:
    settings = tiny.protocol(context=2, horizon=3).futures
    led, real = torch.randn(4, 5, 2), torch.zeros(2, 5, 4, 4, 3, dtype=torch.uint8)
    context = Task(CopyLastFrame(), settings, [3, 5, 8, 9], led).context(slice(1, 3), real)
    assert list(context.numbers) == [5, 8] and context.given == 2
    assert context.actions is not None and torch.equal(context.actions, led[1:3])


class Counting(toy.Brightness):
    """Counts how often given frames are read."""

    read = 0

    def encode(self, x_NCtHW: torch.Tensor) -> torch.Tensor:
        self.read += 1
        return super().encode(x_NCtHW)


def test_what_a_clip_tells_is_worked_out_once_for_all_of_its_futures() -> None:
    settings = tiny.protocol(context=2, horizon=3, samples=9).futures
    model, drawing = Counting(toy.settings()), Drawing(toy.DRAWN)
    real, task = toy.clips(2, 5), Task(model, settings, [3, 5], None)
    parts = [
        task.predict(slice(place, place + 1), real[place : place + 1], drawing, futures).frames
        for place in range(2)
        for futures in (range(4), range(4, 9))
    ]
    assert model.read == 2  # one clip after the other
    for place, number in enumerate([3, 5]):
        alone = Task(model, settings, [number], None)
        whole = alone.predict(slice(0, 1), real[place : place + 1], drawing, range(9)).frames
        assert torch.equal(torch.cat(parts[2 * place : 2 * place + 2]), whole)


def test_the_digest_of_weights_knows_them_and_not_their_order_or_place(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c", "d")]
    for path, content in zip(paths, ("one", "two", "one", "other"), strict=True):
        path.write_text(content)
    a, b, c, d = paths
    assert weights_digest([a, b]) == weights_digest([b, a]) == weights_digest([c, b])
    assert weights_digest([a, b]) != weights_digest([a, d])


class Numbered(Predictor):
    """Futures that are their own number, times the clip's; it notes the draws it was asked for."""

    options = Choice

    def _predict(self, context: Context, horizon: int, options: Choice, draws: Draws) -> Prediction:
        numbers = [
            7 * clip + 3 * future**2
            for clip, future in zip(draws.clips, draws.futures, strict=True)
        ]
        values = torch.tensor(numbers, dtype=torch.uint8)
        frames = values.reshape(-1, 1, 1, 1, 1).repeat(1, horizon, 2, 2, 3)
        return Prediction(frames, {"top": values})


def test_a_mean_is_that_of_the_futures_whose_numbers_begin_at_its_own_share() -> None:
    context = Context(torch.zeros(2, 1, 2, 2, 3, dtype=torch.uint8), [1, 4])
    options = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
    draws = Draws(5, [1, 4, 4], [0, 0, 2])
    found = predict(Numbered(), context, 2, Drawing(options, 3), draws)
    # Of clip 4, future 2 is the mean of its drawn futures 6, 7 and 8; halves would go upwards.
    exact = [7 + (0 + 3 + 12) / 3, 28 + (0 + 3 + 12) / 3, 28 + (108 + 147 + 192) / 3]
    assert found.frames[:, 0, 0, 0, 0].tolist() == exact
    assert found.frames.shape == (3, 2, 2, 2, 3) and not found.about
    two = predict(Numbered(), context, 1, Drawing(options, 2), Draws(5, [1], [0]))
    assert two.frames[0, 0, 0, 0].tolist() == [7 + 2] * 3  # of 7 and 10


def test_a_mean_comes_nearer_to_the_truth_than_any_future_it_is_made_of() -> None:
    """In squared error, by what the futures differ: the law that it is there for."""
    context = Context(torch.zeros(1, 1, 2, 2, 3, dtype=torch.uint8), [1])
    options = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
    each = predict(Numbered(), context, 1, Drawing(options), Draws.each(0, [1], range(5))).frames
    mean = predict(Numbered(), context, 1, Drawing(options, 5), Draws(0, [1], [0])).frames
    assert mean.double().mean() == each.double().mean()
    for truth in (0, 20, 90):
        errors = (each.double() - truth).square().mean(dim=(1, 2, 3, 4))
        assert (mean.double() - truth).square().mean() < errors.mean()
