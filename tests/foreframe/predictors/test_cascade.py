"""Clips that a cascade makes: what they depend on, how long they are, statistics of lengths."""

from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.networks.noise import Drawn, Fresh
from foreframe.networks.step_norms import StepNorm, recalibrate
from foreframe.predictors.cascade import Cascade, Clips
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import cascades
from tests.foreframe.predictors.cascades import FRAMES, SIDE, WHOLE, WINDOW

DRAWS = Draws.each(0, [3, 4], range(5))
LABELS = torch.tensor([2, 0])
ORDER = [7, 0, 3]


def made(built: Cascade, horizon: int, options: Clips = WHOLE, draws: Draws = DRAWS) -> Tensor:
    """Return futures (B,h,H,W,3), of two classes if it is told any."""
    context = cascades.nothing(way=LABELS) if built.settings.labels else cascades.nothing()
    return built.predict(context, horizon, options, draws).frames


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize(
    ("options", "horizon"), [(WHOLE, FRAMES), (WINDOW, 4), (WHOLE, FRAMES + 4)]
)
def test_a_clip_is_one_whatever_else_is_asked_for_and_however_long(
    told: bool, options: Clips, horizon: int
) -> None:
    chosen = (cascades.told if told else cascades.settings)()
    built = cascades.ready(chosen)
    whole = made(built, horizon, options)
    assert whole.shape == (10, horizon, SIDE, SIDE, 3)
    assert len({tuple(each.flatten().tolist()) for each in whole}) == 10
    # Another predictor of the same weights, which has measured nothing yet.
    again = cascades.ready(chosen)
    assert torch.equal(made(again, horizon, options, DRAWS.of(ORDER)), whole[ORDER])
    if horizon <= FRAMES:
        assert torch.equal(made(again, 3, options), whole[:, :3])


def test_the_class_makes_the_clip() -> None:
    built = cascades.ready(cascades.told())
    found = []
    for labels in ([2, 0], [2, 1]):
        context = cascades.nothing(way=torch.tensor(labels))
        found.append(built.predict(context, FRAMES, WHOLE, Draws.first(0, [3, 4])).frames)
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][1], found[1][1])


def test_all_latents_are_as_warm_as_it_is_asked() -> None:
    built, latents = cascades.model(), []
    for net in built.generators:
        net.register_forward_pre_hook(lambda _, given: latents.append(given[0]))
    built.ready(4, 2)
    latents.clear()
    for warm in (1.0, 0.5):
        made(built, FRAMES, Clips(temperature=warm, clips="whole"), Draws.first(0, [3, 4]))
    for one, other in zip(latents[:2], latents[2:], strict=True):
        assert torch.equal(other, 0.5 * one)
    assert not torch.equal(latents[0], latents[1])


def passes(built: Cascade, place: int) -> list[int]:
    """Return the lengths of clips that a level makes from now on."""
    lengths: list[int] = []
    built.generators[place].register_forward_pre_hook(lambda _, given: lengths.append(given[2]))
    return lengths


def test_statistics_of_a_length_are_measured_once_and_anew_after_training() -> None:
    built = cascades.model()
    first, second = (passes(built, place) for place in range(2))
    made(built, FRAMES)
    # Three passes measure the second level, two make ten clips, eight at a time.
    assert (first, second) == ([4] * 5, [8] * 5)
    made(built, FRAMES)
    assert (first, second) == ([4] * 7, [8] * 7)
    made(built, 12, draws=DRAWS.of([0]))
    # For a longer clip both levels are measured, the first one alone and then below the second.
    assert (first[7:], second[7:]) == ([6] * 7, [12] * 4)
    before = made(built, FRAMES)
    built.train()
    with torch.no_grad():
        next(built.generators[1].parameters()).neg_()
    built.eval()
    after = made(built, FRAMES)
    other = cascades.model()
    with torch.no_grad():
        next(other.generators[1].parameters()).neg_()
    assert torch.equal(after, made(other, FRAMES))
    assert not torch.equal(after, before)


def statistics(built: Cascade, frames: int) -> list[Tensor]:
    norms = [each for each in built.generators[1].modules() if isinstance(each, StepNorm)]
    return [each.further[frames].mean for each in norms]


def test_no_seed_of_a_prediction_moves_what_is_measured() -> None:
    one, other = cascades.model(), cascades.model()
    made(one, FRAMES)
    made(other, FRAMES, draws=Draws.first(5, [3, 4]))
    assert all(
        torch.equal(*pair) for pair in zip(statistics(one, 8), statistics(other, 8), strict=True)
    )


def test_measured_at_the_trained_length_statistics_are_near_the_trained_ones() -> None:
    """Moving averages of so many batches of the same weights that their start is forgotten."""
    built = cascades.fresh(cascades.settings())
    net: Any = built.generators[0].train()

    def act(number: int) -> Tensor:
        noise = Fresh(generator(0, "passes", number), 16, torch.device("cpu"))
        clips: Tensor = net(built.latents(noise, 1)[0], None, 4, None)
        return clips

    with torch.no_grad():
        for number in range(120):
            act(number)
    net.eval()
    recalibrate(net, 4, 60, act)
    for norm in net.modules():
        if isinstance(norm, StepNorm):
            found, deviation = norm.further[4], norm.running_var.sqrt()
            assert ((found.mean - norm.running_mean).abs() < 0.15 * deviation).all()
            torch.testing.assert_close(found.variance.sqrt(), deviation, rtol=0.25, atol=0)


def test_a_recurrent_first_level_goes_on_and_its_frames_do_not_stand_still() -> None:
    built = cascades.model(cascades.level(generator=cascades.net(2, 1, temporal="gru")))
    long = made(built, 3 * FRAMES)
    assert long.shape[1] == 3 * FRAMES
    moved = (long[:, FRAMES:] != long[:, FRAMES - 1 : -1]).flatten(2).any(dim=2)
    assert moved.float().mean() > 0.5


def test_a_window_is_made_as_in_training_from_a_window_of_the_whole_clip_below() -> None:
    built = cascades.model()
    draws = Draws.first(0, [3, 4])
    found = made(built, 4, WINDOW, draws)
    assert not any(
        each.further for each in built.generators[1].modules() if isinstance(each, StepNorm)
    )
    noise = Drawn(draws.of([0, 1, *[1] * 6]), "predict", torch.device("cpu"))
    below, own = built.latents(noise, 2)
    with torch.no_grad():
        low = built.made([below], None, 4)
        places = {}
        for start in range(3):
            x = built.raised(1, own, None, low[:, :, start : start + 2], 4)
            frames = built.scaling.outward(x)
            for row in range(2):
                if torch.equal(frames[row], found[row]):
                    places[row] = start
    starts = noise.gumbel("window", 1, (3,)).argmax(dim=1)
    assert places == {row: int(starts[row]) for row in range(2)}


def test_without_windows_both_ways_make_the_same_clips() -> None:
    for levels in ((cascades.level(),), (cascades.first(), cascades.second(window=None))):
        built = cascades.model(*levels)
        assert torch.equal(made(built, FRAMES, WINDOW), made(built, FRAMES))


def test_three_levels_make_of_each_clip_one_of_more_and_larger_frames() -> None:
    levels = (
        cascades.first(every=4, size=4, generator=cascades.net(2, temporal="gru")),
        cascades.second(every=2, size=8, generator=cascades.net(2), window=1),
        cascades.second(window=2),
    )
    built, shapes = cascades.model(*levels), []
    for net in built.generators:
        net.register_forward_hook(lambda _, given, out: shapes.append(tuple(out.shape[2:])))
    made(built, FRAMES, draws=DRAWS.of([0]))
    assert shapes[-3:] == [(2, 4, 4), (4, 8, 8), (8, 16, 16)]
    # The second level, three times; the third one, above both, three times; then the clip.
    assert len(shapes) == 3 * 2 + 3 * 3 + 3
