"""Laws of predictors: batches, long rollouts, given frames, and the baseline."""

import copy
from pathlib import Path

import pytest
import torch

from foreframe.config.sampling import Choice
from foreframe.errors import UserError
from foreframe.predictors import latent_predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.latent_predictor import LatentPredictor
from foreframe.priors.noise import Noise
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
