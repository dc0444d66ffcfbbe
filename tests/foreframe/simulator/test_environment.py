"""Laws of the learned simulator: Gymnasium's own checks, repeatability, what a step predicts."""

import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from foreframe import simulator
from foreframe.config.sampling import Choice
from foreframe.data import actions
from foreframe.errors import UserError
from foreframe.predictors.latent import Latent
from foreframe.randomness import Draws
from foreframe.simulator.environment import DRAWN, LearnedDriving
from tests.stages import evaluation_study as tiny

ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
FILES = ("frames", "split", "normalization")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("driven"))
    tiny.make_data(study, tiny.driven())
    tiny.make_models(study, tiny.ACTIONS)
    return study


def make(study: tiny.Study, **changes: Any) -> LearnedDriving:
    paths: dict[str, Any] = {name: study.path(name) for name in FILES} | {"models": study.models}
    return LearnedDriving(**(paths | changes))


def action(*numbers: float) -> NDArray[numpy.float32]:
    return numpy.array(numbers, numpy.float32)


def drive(environment: LearnedDriving, steer: list[float], seed: int = 0) -> list[Any]:
    frames = [environment.reset(seed=seed)[0]]
    return frames + [environment.step(action(value, 0))[0] for value in steer]


def test_it_passes_the_checks_of_gymnasium(study: tiny.Study) -> None:
    paths: dict[str, Any] = {name: study.path(name) for name in FILES} | {"models": study.models}
    made = gymnasium.make(simulator.ID, render_mode="rgb_array", max_steps=5, **paths)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The range of the recorded actions is what it is.
        warnings.filterwarnings("ignore", message=".*recommend using a symmetric and normalized")
        check_env(made.unwrapped)
    made.close()


def test_the_same_seed_and_actions_give_the_same_frames(study: tiny.Study) -> None:
    first, second = make(study), make(study)
    steer = [0.5, -0.5, 0.5]
    expected = drive(first, steer)
    assert numpy.array_equal(drive(second, steer), expected)
    assert numpy.array_equal(drive(second, steer), expected)
    assert not numpy.array_equal(drive(second, [-0.5, 0.5, 0.5])[1:], expected[1:])
    seeds = [drive(second, steer, seed) for seed in range(1, 4)]
    assert any(not numpy.array_equal(other, expected) for other in seeds)


def test_without_a_seed_the_next_episode_follows_from_the_last_seed(study: tiny.Study) -> None:
    def episodes(environment: LearnedDriving) -> list[int]:
        environment.reset(seed=4)
        return [environment.reset()[1]["clip"] for _ in range(8)]

    found = episodes(make(study))
    assert episodes(make(study)) == found and len(set(found)) > 1


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_step_predicts_from_the_last_frames_and_the_actions_that_led_to_them(
    study: tiny.Study, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: whole windows, decoded as far as they were kept."""
    told: list[torch.Tensor] = []  # untrained priors show little of it
    extend: Any = Latent.extend

    def spied(*given: Any, actions_BTA: torch.Tensor, **named: Any) -> Any:
        told.append(actions_BTA)
        return extend(*given, actions_BTA=actions_BTA, **named)

    monkeypatch.setattr(Latent, "extend", spied)
    environment = make(study, frames_per_prediction=count)
    predictor = environment.trained.predictor
    assert isinstance(predictor, Latent)
    window = predictor.window
    assert (environment.trained.context, window.frames, window.cover) == (4, 8, 4)
    _, info = environment.reset(seed=1, options={"clip": 2})
    start = int(environment.trained.starts[2])
    frames = torch.from_numpy(info["frames"])[None]
    led = actions.read(study.path("frames"), [start], 4)
    for step, steer in enumerate((0.5, -1.0)):
        observation, reward, ended, cut_off, info = environment.step(action(steer, 0.25))
        held = torch.tensor([[[steer, 0.25]]])
        given = window.first(predictor.encode(frames), 4)
        whole = predictor.extend(
            given,
            DRAWN,
            Draws.first(environment._seed, [0]),
            step,
            actions_BTA=torch.cat([led, held.expand(-1, 4, -1)], dim=1),
        )
        assert torch.equal(told[-2], told[-1])
        expected = predictor.decode(whole)[:, 4 : 4 + count]
        assert numpy.array_equal(info["frames"], expected[0].numpy())
        assert numpy.array_equal(observation, info["frames"][-1])
        assert (reward, ended, cut_off) == (0.0, False, False)
        frames = torch.cat([frames, expected], dim=1)[:, -4:]
        led = torch.cat([led, held.expand(-1, count, -1)], dim=1)[:, -4:]


def test_actions_outside_of_what_was_recorded_are_moved_to_its_end(study: tiny.Study) -> None:
    environment = make(study, choice=ARGMAX)
    high, low = environment.trained.high, environment.trained.low
    recorded = tiny.driven()[:48]
    assert numpy.array_equal(high, recorded.max(axis=0))
    assert numpy.array_equal(low, recorded.min(axis=0))
    for inside, outside in ((high, high + 9), (low, low - 9)):
        environment.reset(seed=0)
        expected = environment.step(inside)[0]
        environment.reset(seed=0)
        assert numpy.array_equal(environment.step(outside)[0], expected)


def test_an_episode_is_cut_off_after_its_steps(study: tiny.Study) -> None:
    environment = make(study, max_steps=2)
    for _ in range(2):
        environment.reset(seed=0)
        assert [environment.step(action(0, 0))[3] for _ in range(2)] == [False, True]


def test_rendering_is_the_current_frame(study: tiny.Study) -> None:
    environment = make(study, render_mode="rgb_array")
    frame, _ = environment.reset(seed=0)
    shown = environment.render()
    assert shown is not None and numpy.array_equal(shown, frame)
    assert make(study).render() is None
    assert environment.metadata["render_fps"] == pytest.approx(10)


# ---- what is refused


def test_a_study_that_is_not_there_names_what_makes_it(study: tiny.Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.safetensors does not exist.*train_prior@top_act"):
        make(study, models=[*study.models[:2], tmp_path / "gone.safetensors"])


def test_priors_that_do_not_agree_on_actions_are_refused(study: tiny.Study, tmp_path: Path) -> None:
    plain = tiny.Study(tmp_path)
    tiny.make_data(plain)
    tiny.make_models(plain)
    with pytest.raises(UserError, match=r"level bottom takes no actions.*Run `dvc repro`"):
        make(study, models=[plain.models[0], *study.models[1:]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames_per_prediction": 0}, "Choose 1 to 4"),
        ({"frames_per_prediction": 5}, "Choose 1 to 4"),
        ({"max_steps": 0}, "at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(
    study: tiny.Study, changes: dict[str, int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make(study, **changes)


def test_steps_and_resets_that_make_no_sense_are_refused(study: tiny.Study) -> None:
    environment = make(study)
    with pytest.raises(UserError, match="before reset"):
        environment.step(action(0, 0))
    for options, message in (
        ({"clip": 99}, "clips 0 to"),
        ({"clip": "1"}, "clips 0 to"),
        ({"place": 1}, "option place is unknown"),
    ):
        with pytest.raises(UserError, match=message):
            environment.reset(options=options)
    environment.reset(seed=0)
    for wrong in (action(0, 0, 0), action(numpy.nan, 0)):
        with pytest.raises(UserError, match="finite number for each of: steer, gas"):
            environment.step(wrong)
