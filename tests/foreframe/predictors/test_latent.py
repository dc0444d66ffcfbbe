"""Laws of the predictor of codes: batches, futures, long rollouts, given frames, and actions."""

import copy
import dataclasses
import math

import pytest
import torch

from foreframe import priors
from foreframe.config.sampling import Choice
from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.latent import Latent
from foreframe.priors import Codes, Prior
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import ladder
from tests.stages import evaluation_study as tiny
from tests.stages.evaluation_study import ARGMAX, DRAWN


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Latent:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    tiny.make_models(study)
    return study.predictor()


def predict(
    predictor: Latent,
    context: torch.Tensor,
    horizon: int,
    choice: Choice = DRAWN,
    clips: tuple[int, ...] = (3,),
    actions: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the first future of each clip."""
    draws = Draws.first(0, clips)
    return predictor.predict(Context(context, clips, actions), horizon, choice, draws).frames


def frames(batch: int, count: int) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(0)
    shape = (batch, count, tiny.SIZE, tiny.SIZE, 3)
    return torch.randint(256, shape, generator=numbers, dtype=torch.uint8)


def test_a_future_has_the_length_asked_for(predictor: Latent) -> None:
    assert predictor.window.frames == tiny.FRAMES
    for horizon in (1, 4, 5, 11):
        future = predict(predictor, frames(1, 4), horizon)
        assert future.shape == (1, horizon, tiny.SIZE, tiny.SIZE, 3)
        assert future.dtype == torch.uint8


def test_a_longer_future_begins_with_the_shorter(predictor: Latent) -> None:
    long = predict(predictor, frames(1, 4), 11)
    for horizon in (1, 4, 7):
        assert torch.equal(predict(predictor, frames(1, 4), horizon), long[:, :horizon])


def test_windows_of_a_rollout_have_noise_of_their_own(predictor: Latent) -> None:
    same = copy.deepcopy(predictor)
    with torch.no_grad():
        for prior in same.priors.values():
            for parameter in prior.parameters():
                parameter.zero_()
    # The codes are noise alone now, so equal noise would give equal futures.
    future = predict(same, frames(1, 4), 12)
    assert not torch.equal(future[:, 4:8], future[:, 8:])


def test_a_future_depends_on_its_own_clip_and_number_alone(predictor: Latent) -> None:
    context = Context(frames(3, 4), [5, 6, 7])
    every = Draws.each(7, context.numbers, range(4))
    together = predictor.predict(context, 8, DRAWN, every).frames
    assert len({tuple(future.flatten().tolist()) for future in together}) == 12
    some = every.of([10, 4, 6])
    assert torch.equal(predictor.predict(context, 8, DRAWN, some).frames, together[[10, 4, 6]])
    alone = Context(context.frames[1:2], [6])
    one = Draws(7, [6], [2])
    assert torch.equal(predictor.predict(alone, 8, DRAWN, one).frames, together[6:7])


def test_a_second_window_continues_the_codes_of_the_first(predictor: Latent) -> None:
    context = frames(1, 4)
    given = predictor.window.first(predictor.encode(context), 4)
    first = predictor.extend(given, ARGMAX, Draws.first(0, [0]))
    again = {level: codes[:, codes.shape[1] // 2 :] for level, codes in first.items()}
    second = predictor.extend(again, ARGMAX, Draws.first(0, [0]))
    future = predict(predictor, context, 8, ARGMAX)
    assert torch.equal(future[:, :4], predictor.decode(first)[:, 4:])
    assert torch.equal(future[:, 4:], predictor.decode(second)[:, 4:])


def test_a_fixed_level_is_taken_as_it_is(predictor: Latent) -> None:
    latents = predictor.encode(frames(2, 8))
    given = predictor.window.first(latents, 4)
    extended = predictor.extend(
        given, ARGMAX, Draws.first(0, [0, 1]), fixed={"top": latents["top"]}
    )
    assert torch.equal(extended["top"], latents["top"])
    assert torch.equal(extended["bottom"][:, :2], latents["bottom"][:, :2])


# ---- contexts


def with_window(predictor: Latent, window: int) -> Latent:
    """Return a predictor with untrained priors of windows of another length."""

    def resized(codes: Codes) -> Codes:
        count = codes.grid[0] * window // tiny.FRAMES
        return dataclasses.replace(codes, grid=(count, *codes.grid[1:]))

    made: dict[str, Prior] = {}
    for level, old in predictor.priors.items():
        given = {name: resized(codes) for name, codes in old.conditions.items()}
        led = old.actions and dataclasses.replace(old.actions, frames=window)
        made[level] = priors.build(old.settings, resized(old.codes), given, led).eval()
        made[level].initialize(generator(3, level))
    return dataclasses.replace(predictor, priors=made)


def seen(predictor: Latent, context: Context) -> dict[str, torch.Tensor]:
    """Return the codes (N,T,H,W) of futures of one window: what was given, and what came of it."""
    draws, horizon = Draws.first(0, context.numbers), predictor.window.frames - context.given
    return dict(predictor.predict(context, horizon, DRAWN, draws).about)


def test_a_context_of_its_own_sees_nothing_of_the_future(predictor: Latent) -> None:
    whole = frames(2, 8)
    other = torch.cat([whole[:, :4], 255 - whole[:, 4:]], dim=1)
    codes, own, others = (predictor.encode(each) for each in (whole, whole[:, :4], other))
    alone = seen(predictor, Context(whole[:, :4], [0, 1]))
    leaked = seen(predictor, Context(whole[:, :4], [0, 1], whole=whole))
    for level, given in (("top", 1), ("bottom", 2)):
        # Or this test could not fail: what is seen of the future changes the given codes.
        assert (codes[level][:, :given] != others[level][:, :given]).any()
        assert (codes[level][:, :given] != own[level]).any()
        assert torch.equal(alone[level][:, :given], own[level])
        assert torch.equal(leaked[level][:, :given], codes[level][:, :given])


@pytest.mark.parametrize("whole", [False, True])
def test_a_context_that_fills_no_code_is_led_by_copies_of_its_first_frame(
    predictor: Latent, driven: Latent, whole: bool
) -> None:
    """Nothing moves between copies, so the actions of these are zeros."""
    real, acted = frames(2, 8), actions(2, 8)
    led = torch.cat([real[:, :1].expand(-1, 3, -1, -1, -1), real], dim=1)
    rested = torch.cat([torch.zeros(2, 3, 2), acted], dim=1)
    for each in (predictor, driven):
        found, expected = (
            each.predict(
                # Of a whole clip a window is seen, and nothing beyond it.
                Context(clips[:, :given], [0, 1], own, whole=clips if whole else None),
                7,
                DRAWN,
                Draws.first(0, [0, 1]),
            ).frames
            for clips, given, own in ((real, 1, acted), (led, 4, rested))
        )
        assert torch.equal(found, expected)


def test_the_bound_of_any_length_is_that_of_the_filled_clip(predictor: Latent) -> None:
    real = frames(2, 9)
    filled = torch.cat([real[:, :1], real, real[:, -1:], real[:, -1:]], dim=1)
    expected = predictor.decode(predictor.encode(filled))[:, 1:10]
    assert torch.equal(predictor.reconstruct(real, 3).frames, expected)


def test_contexts_that_leave_nothing_to_predict_are_refused(predictor: Latent) -> None:
    for count in (5, 8):
        with pytest.raises(UserError, match=r"cover 8, and the priors model 8 .* at most 4"):
            predict(predictor, frames(1, count), 4)


# Half of the first window is one code of the top, of the second it is two.
@pytest.mark.parametrize("window", [8, 16])
@pytest.mark.parametrize("acted", [False, True])
def test_without_a_context_clips_are_generated(
    predictor: Latent, driven: Latent, window: int, acted: bool
) -> None:
    other, half = with_window(driven if acted else predictor, window), window // 2
    length, led = 2 * window - 2, actions(2, 2 * window) if acted else None
    context, draws = Context(frames(2, 0), (3, 4), led), Draws.first(0, (3, 4))
    long = other.predict(context, length, DRAWN, draws).frames
    assert long.shape == (2, length, tiny.SIZE, tiny.SIZE, 3)
    assert torch.equal(other.predict(context, 5, DRAWN, draws).frames, long[:, :5])
    assert not torch.equal(long[0], long[1])
    codes = seen(other, context)
    assert torch.equal(other.decode(codes), long[:, :window])
    # The second window goes on from the last half of the first, and from what led to that.
    again = {level: ids[:, ids.shape[1] // 2 :] for level, ids in codes.items()}
    later = None if led is None else led[:, half : half + window]
    second = other.extend(again, DRAWN, draws, 1, actions_BTA=later)
    assert torch.equal(other.decode(second)[:, half:], long[:, window : window + half])


def test_nothing_goes_on_after_windows_of_one_code(predictor: Latent) -> None:
    short = with_window(predictor, 4)
    assert predict(short, frames(1, 0), 4).shape[1] == 4
    with pytest.raises(UserError, match=r"covers all 4 frames .* horizon to at most 4\.$"):
        predict(short, frames(1, 0), 5)


# ---- levels


def test_levels_are_parted_at_every_cut(predictor: Latent) -> None:
    context, real, draws = Context(frames(2, 4), [0, 1]), frames(2, 8), Draws.first(0, [0, 1])
    two = predictor.explain(context, real, ARGMAX, draws)
    assert set(two) == {
        "hierarchical",
        "top_only",
        "generated_top_true_bottom",
        "true_top_generated_bottom",
        "bottom_given_true_top",
    }
    assert predictor.explain(context, real[:, :7], ARGMAX, draws) == {}
    three = ladder.make(predictor.normalizer)
    assert list(three.priors) == ["high", "middle", "low"]
    found = three.explain(context, real, DRAWN, draws)
    drawn = three.predict(context, 4, DRAWN, draws)
    assert torch.equal(found["hierarchical"][:, 4:], drawn.frames)
    true, own = three.encode(real), drawn.about
    expected = {
        "high_only": three.decode(own, drop=["middle", "low"]),
        "high_middle_only": three.decode(own, drop=["low"]),
        "generated_high_true_middle_low": three.decode({**true, "high": own["high"]}),
        "generated_high_middle_true_low": three.decode({**own, "low": true["low"]}),
        "true_high_middle_generated_low": three.decode(
            {**true, "low": found["low_given_true_high_middle"]}
        ),
    }
    for name, decoded in expected.items():
        assert torch.equal(found[name], decoded), name
    after = {level: found[f"{level}_given_true_high"] for level in ("middle", "low")}
    mixed = three.decode({"high": true["high"], **after})
    assert torch.equal(found["true_high_generated_middle_low"], mixed)


# ---- actions and horizons


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Latent:
    """Return a predictor whose priors take actions."""
    study = tiny.Study(tmp_path_factory.mktemp("driven"))
    tiny.make_data(study)
    tiny.make_models(study, tiny.ACTIONS)
    return study.predictor()


def actions(batch: int, count: int) -> torch.Tensor:
    return 3 * torch.randn(batch, count, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("choice", [ARGMAX, DRAWN], ids=["argmax", "drawn"])
def test_fewer_frames_are_the_first_codes_of_the_whole_window(
    predictor: Latent, driven: Latent, choice: Choice
) -> None:
    context = frames(2, 4)
    for each in (predictor, driven):
        # Eight frames are two code-frames of the top here, and a window of twelve has three.
        longer = with_window(each, 12)
        assert longer.window.frames == 12
        given, led = longer.window.first(longer.encode(context), 4), actions(2, 12)
        whole = longer.extend(given, choice, Draws.first(0, [4, 5]), actions_BTA=led)
        part = longer.extend(given, choice, Draws.first(0, [4, 5]), actions_BTA=led, frames=8)
        for level, count in (("top", 2), ("bottom", 4)):
            assert part[level].shape[1] == count
            assert torch.equal(part[level], whole[level][:, :count])
    with pytest.raises(UserError, match="multiple of 4"):
        longer.extend(given, choice, Draws.first(0, [4, 5]), actions_BTA=led, frames=6)


def test_a_future_follows_its_actions_and_holds_the_last(driven: Latent) -> None:
    context, led = frames(2, 4), actions(2, 16)
    future = predict(driven, context, 10, DRAWN, (0, 1), led)
    other = led.clone()
    other[:, 8:] += 2
    later = predict(driven, context, 10, DRAWN, (0, 1), other)
    assert torch.equal(later[:, :4], future[:, :4]) and not torch.equal(later, future)
    short = torch.cat([led[:, :6], led[:, 5:6].expand(-1, 10, -1)], dim=1)
    assert torch.equal(
        predict(driven, context, 10, DRAWN, (0, 1), led[:, :6]),
        predict(driven, context, 10, DRAWN, (0, 1), short),
    )


@pytest.mark.parametrize("count", [6, 8, 16])
def test_what_a_future_is_made_of_follows_its_actions(driven: Latent, count: int) -> None:
    context = Context(frames(2, 4), (0, 1), actions(2, count))
    draws = Draws.first(0, (0, 1))
    found = driven.explain(context, frames(2, 8), DRAWN, draws)["hierarchical"]
    assert torch.equal(found[:, 4:], driven.predict(context, 4, DRAWN, draws).frames)


def test_a_clip_in_a_batch_follows_its_own_actions(driven: Latent) -> None:
    context, led = frames(3, 4), actions(3, 8)
    together = predict(driven, context, 4, DRAWN, (0, 1, 2), led)
    alone = predict(driven, context[1:2], 4, DRAWN, (1,), led[1:2])
    assert torch.equal(together[1:2], alone)


def test_actions_that_are_needed_are_asked_for(predictor: Latent, driven: Latent) -> None:
    assert driven.takes_actions and not predictor.takes_actions
    with pytest.raises(UserError, match="level top takes actions, but none are given"):
        predict(driven, frames(1, 4), 4, ARGMAX)


def test_one_prior_that_takes_actions_is_enough_to_need_them(
    predictor: Latent, driven: Latent
) -> None:
    for level in ("top", "bottom"):
        one = {**predictor.priors, level: driven.priors[level]}
        assert dataclasses.replace(predictor, priors=one).takes_actions


# ---- what is said of a predictor


def test_what_was_chosen_is_every_setting_and_where_actions_come_from(
    predictor: Latent, driven: Latent
) -> None:
    for each, known in ((predictor, {}), (driven, {"actions": "recorded"})):
        networks = {"autoencoder": each.autoencoder, **each.priors}
        settings = {
            name: network.settings.model_dump(mode="json") for name, network in networks.items()
        }
        choice = DRAWN.model_dump(mode="json")
        assert each.chosen(DRAWN) == {**settings, "choice": choice, **known}
        assert each.chosen(None) == {"autoencoder": settings["autoencoder"]}


@pytest.mark.parametrize(("given", "left"), [(0, 8), (1, 4), (4, 4)])
def test_codes_that_are_given_are_not_sampled(predictor: Latent, given: int, left: int) -> None:
    for level, found in predictor.operations(given).items():
        codes = math.prod(predictor.priors[level].grid)
        assert found["codes"] == codes * left // predictor.window.frames
