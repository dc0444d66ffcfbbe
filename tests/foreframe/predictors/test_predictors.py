"""Laws of predictors: batches, long rollouts, given frames, and the baseline."""

import copy
import dataclasses
from pathlib import Path

import pytest
import torch

from foreframe import priors
from foreframe.config.sampling import Choice
from foreframe.errors import UserError
from foreframe.networks.initialization import initialize
from foreframe.predictors import latent_predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.latent_predictor import LatentPredictor
from foreframe.priors import Prior
from foreframe.priors.noise import Noise
from foreframe.randomness import generator
from tests.stages import evaluation_study as tiny

DRAWN = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> LatentPredictor:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    tiny.make_models(study)
    return latent_predictor.load(
        study.path("autoencoder"),
        {level: study.path(level) for level in ("top", "bottom")},
        study.path("normalization"),
        torch.device("cpu"),
    )


def frames(batch: int, count: int) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(0)
    shape = (batch, count, tiny.SIZE, tiny.SIZE, 3)
    return torch.randint(256, shape, generator=numbers, dtype=torch.uint8)


def test_a_future_has_the_length_asked_for(predictor: LatentPredictor) -> None:
    assert predictor.window == tiny.FRAMES
    for horizon in (1, 4, 5, 11):
        future = predictor.predict(frames(1, 4), horizon, DRAWN, 0, [3])
        assert future.shape == (1, horizon, tiny.SIZE, tiny.SIZE, 3)
        assert future.dtype == torch.uint8


def test_a_longer_future_begins_with_the_shorter(predictor: LatentPredictor) -> None:
    long = predictor.predict(frames(1, 4), 11, DRAWN, 0, [3])
    for horizon in (1, 4, 7):
        assert torch.equal(
            predictor.predict(frames(1, 4), horizon, DRAWN, 0, [3]), long[:, :horizon]
        )


def test_windows_of_a_rollout_have_noise_of_their_own(predictor: LatentPredictor) -> None:
    same = copy.deepcopy(predictor)
    with torch.no_grad():
        for prior in same.priors.values():
            for parameter in prior.parameters():
                parameter.zero_()
    # The codes are noise alone now, so equal noise would give equal futures.
    future = same.predict(frames(1, 4), 12, DRAWN, 0, [3])
    assert not torch.equal(future[:, 4:8], future[:, 8:])


def test_a_future_depends_on_its_own_clip_alone(predictor: LatentPredictor) -> None:
    context = frames(3, 4)
    together = predictor.predict(context, 8, DRAWN, 7, [5, 6, 7])
    alone = predictor.predict(context[1:2], 8, DRAWN, 7, [6])
    assert torch.equal(together[1:2], alone)
    other = predictor.predict(context[1:2], 8, DRAWN, 7, [5])
    assert not torch.equal(other, alone)


def test_a_second_window_continues_the_codes_of_the_first(predictor: LatentPredictor) -> None:
    context = frames(1, 4)
    given = predictor.first(predictor.encode(context), 4)
    first = predictor.extend(given, ARGMAX, Noise(0, [0]))
    again = {level: codes[:, codes.shape[1] // 2 :] for level, codes in first.items()}
    second = predictor.extend(again, ARGMAX, Noise(0, [0]))
    future = predictor.predict(context, 8, ARGMAX, 0, [0])
    assert torch.equal(future[:, :4], predictor.decode(first)[:, 4:])
    assert torch.equal(future[:, 4:], predictor.decode(second)[:, 4:])


def test_a_fixed_level_is_taken_as_it_is(predictor: LatentPredictor) -> None:
    latents = predictor.encode(frames(2, 8))
    given = predictor.first(latents, 4)
    extended = predictor.extend(given, ARGMAX, Noise(0, [0, 1]), fixed={"top": latents["top"]})
    assert torch.equal(extended["top"], latents["top"])
    assert torch.equal(extended["bottom"][:, :2], latents["bottom"][:, :2])


@pytest.mark.parametrize(("count", "message"), [(8, "frames; 8 cannot"), (2, "multiple of 4")])
def test_contexts_that_do_not_fit_are_refused(
    predictor: LatentPredictor, count: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        predictor.predict(frames(1, count), 4, ARGMAX, 0, [0])


def test_a_missing_prior_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.safetensors does not exist"):
        latent_predictor.load(
            tmp_path / "a",
            {"top": tmp_path / "absent.safetensors"},
            tmp_path / "n",
            torch.device("cpu"),
        )


def test_a_prior_of_another_level_is_named(tmp_path: Path) -> None:
    study = tiny.Study(tmp_path)
    tiny.make_data(study)
    tiny.make_models(study)
    study.path("top").write_bytes(study.path("bottom").read_bytes())
    with pytest.raises(UserError, match=r"level bottom, not top.*dvc repro"):
        latent_predictor.load(
            study.path("autoencoder"),
            {level: study.path(level) for level in ("top", "bottom")},
            study.path("normalization"),
            torch.device("cpu"),
        )


def test_the_baseline_repeats_the_last_frame() -> None:
    context = frames(2, 3)
    future = CopyLastFrame().predict(context, 5, DRAWN, 0, [0, 1])
    assert future.shape == (2, 5, tiny.SIZE, tiny.SIZE, 3)
    assert all(torch.equal(future[:, step], context[:, -1]) for step in range(5))


# ---- actions and horizons


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> LatentPredictor:
    """Return a predictor whose priors take actions."""
    study = tiny.Study(tmp_path_factory.mktemp("driven"))
    tiny.make_data(study)
    tiny.make_models(study, tiny.ACTIONS)
    return latent_predictor.load(
        study.path("autoencoder"),
        {level: study.path(level) for level in ("top", "bottom")},
        study.path("normalization"),
        torch.device("cpu"),
    )


def actions(batch: int, count: int) -> torch.Tensor:
    return 3 * torch.randn(batch, count, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("choice", [ARGMAX, DRAWN], ids=["argmax", "drawn"])
def test_fewer_frames_are_the_first_codes_of_the_whole_window(
    predictor: LatentPredictor, driven: LatentPredictor, choice: Choice
) -> None:
    context = frames(2, 4)
    for each in (predictor, driven):
        # Eight frames are two code-frames of the top here, and a window of twelve has three.
        longer = dataclasses.replace(each, priors=longer_priors(each))
        assert longer.window == 12
        given, led = longer.first(longer.encode(context), 4), actions(2, 12)
        whole = longer.extend(given, choice, Noise(0, [4, 5]), actions_BTA=led)
        part = longer.extend(given, choice, Noise(0, [4, 5]), actions_BTA=led, frames=8)
        for level, count in (("top", 2), ("bottom", 4)):
            assert part[level].shape[1] == count
            assert torch.equal(part[level], whole[level][:, :count])
    with pytest.raises(UserError, match="multiple of 4"):
        longer.extend(given, choice, Noise(0, [4, 5]), actions_BTA=led, frames=6)


def longer_priors(predictor: LatentPredictor) -> dict[str, Prior]:
    """Return untrained priors like a predictor's, of windows that are half as long again."""
    made: dict[str, Prior] = {}
    for level, old in predictor.priors.items():
        shapes = {
            name: priors.Codes(longer(codes.grid), 12) for name, codes in old.conditions.items()
        }
        actions = old.actions and dataclasses.replace(old.actions, frames=12)
        prior = priors.build(old.settings, priors.Codes(longer(old.grid), 12), shapes, actions)
        initialize(prior, generator(3, level))
        made[level] = prior.eval()
    return made


def longer(grid: priors.Grid) -> priors.Grid:
    return (grid[0] * 3 // 2, *grid[1:])


def test_a_future_follows_its_actions_and_holds_the_last(driven: LatentPredictor) -> None:
    context, led = frames(2, 4), actions(2, 16)
    future = driven.predict(context, 10, DRAWN, 0, [0, 1], led)
    other = led.clone()
    other[:, 8:] += 2
    later = driven.predict(context, 10, DRAWN, 0, [0, 1], other)
    assert torch.equal(later[:, :4], future[:, :4]) and not torch.equal(later, future)
    short = torch.cat([led[:, :6], led[:, 5:6].expand(-1, 10, -1)], dim=1)
    assert torch.equal(
        driven.predict(context, 10, DRAWN, 0, [0, 1], led[:, :6]),
        driven.predict(context, 10, DRAWN, 0, [0, 1], short),
    )


def test_a_clip_in_a_batch_follows_its_own_actions(driven: LatentPredictor) -> None:
    context, led = frames(3, 4), actions(3, 8)
    together = driven.predict(context, 4, DRAWN, 0, [0, 1, 2], led)
    alone = driven.predict(context[1:2], 4, DRAWN, 0, [1], led[1:2])
    assert torch.equal(together[1:2], alone)


def test_actions_that_are_needed_are_asked_for(
    predictor: LatentPredictor, driven: LatentPredictor
) -> None:
    assert driven.takes_actions and not predictor.takes_actions
    with pytest.raises(UserError, match="level top takes actions, but none are given"):
        driven.predict(frames(1, 4), 4, ARGMAX, 0, [0])
