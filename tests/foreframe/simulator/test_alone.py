"""Laws of drives in predictors that take no actions: one future goes on, whatever is pressed."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from foreframe import simulator
from foreframe.config import reading
from foreframe.errors import UserError
from foreframe.predictors import Context, learned
from foreframe.predictors.latent import Latent
from foreframe.predictors.recurrent import FrameByFrame
from foreframe.randomness import Draws
from foreframe.simulator.environment import LearnedDriving
from tests.foreframe.predictors import test_svg
from tests.stages import evaluation_study as tiny
from tests.workflow import predictor_study

CHOICES = predictor_study.CHOICES
# Frames of the clips that they were built for, and so half of them.
CLIP, HALF = 5, 2
NOTHING = numpy.zeros(0, numpy.float32)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study's artefacts."""
    folder = predictor_study.make(tmp_path_factory.mktemp("alone"))
    return folder / "data" / predictor_study.NAME


def paths(own: Path, *models: str) -> dict[str, Any]:
    study = tiny.Study(own)
    files = {name: study.path(name) for name in ("frames", "split", "normalization")}
    return files | {"models": [own / f"{model}.safetensors" for model in models]}


def make(own: Path, kind: str, **changes: Any) -> LearnedDriving:
    choice = next(iter(CHOICES[kind].values()))
    return LearnedDriving(**(paths(own, kind) | {"choice": choice} | changes))


def frames(environment: LearnedDriving, steps: int) -> NDArray[numpy.uint8]:
    """Return the frames of so many steps after the reset."""
    return numpy.concatenate([environment.step(NOTHING)[4]["frames"] for _ in range(steps)])


@pytest.mark.parametrize("kind", predictor_study.FRAMEWISE)
def test_a_drive_is_one_future_as_long_as_the_drive(
    kind: str, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = make(own, kind)
    seen: list[torch.Tensor] = []
    inward: Any = FrameByFrame.inward

    def spied(*given: Any) -> torch.Tensor:
        seen.append(inward(*given))
        return seen[-1]

    monkeypatch.setattr(FrameByFrame, "inward", spied)
    _, info = environment.reset(seed=3, options={"clip": 2})
    predictor: Any = environment.trained.predictor
    assert isinstance(predictor, FrameByFrame)
    options = reading.validate(predictor.options, next(iter(CHOICES[kind].values())), "choice")
    context = Context(torch.from_numpy(info["frames"])[None], [0])
    draws = Draws.first(environment._seed, [0])
    expected = predictor.predict(context, 3 * CLIP, options, draws).frames[0].numpy()
    found = frames(environment, 3 * CLIP)
    assert torch.equal(seen[0], seen[1])
    # A prediction draws several futures at once, which moves the last bits.
    assert numpy.abs(found.astype(int) - expected).max() <= 1
    assert (found == expected).mean() > 0.99


def test_it_does_not_matter_how_many_frames_a_step_has(own: Path) -> None:
    single, double = make(own, "srnn"), make(own, "srnn", frames_per_prediction=2)
    for environment in (single, double):
        environment.reset(seed=1)
    assert numpy.array_equal(frames(single, 6), frames(double, 3))


def test_a_drive_begins_with_half_a_clip_or_what_the_predictor_needs(own: Path) -> None:
    demanding = test_svg.model(context=3)
    learned.ROLE.save(own / "demanding.safetensors", demanding)
    choice = CHOICES["svg"]["drawn"]
    for name, context in (("svg", HALF), ("demanding", 3)):
        known = LearnedDriving(**paths(own, name), choice=choice).trained
        assert known.context == context
        start = known.start(1)
        assert start.frames.shape == (context, tiny.SIZE, tiny.SIZE, 3)
        assert start.actions.shape == (context, 0)
        # Of the frames from 68 on; see `make_data`.
        assert known.starts.tolist() == list(range(68, 96 - CLIP + 1, context))


def test_it_passes_the_checks_of_gymnasium(own: Path) -> None:
    choice = CHOICES["srnn"]["drawn"]
    made = gymnasium.make(simulator.ID, **paths(own, "srnn"), choice=choice, max_steps=5)
    assert made.action_space.shape == (0,)
    check_env(made.unwrapped, skip_render_check=True)
    made.close()


def test_priors_without_actions_go_on_as_they_predict(tmp_path: Path) -> None:
    study = tiny.Study(tmp_path)
    tiny.make_data(study)
    tiny.make_models(study)
    files: dict[str, Any] = {
        name: study.path(name) for name in ("frames", "split", "normalization")
    }
    environment = LearnedDriving(**files, models=study.models, frames_per_prediction=4)
    _, info = environment.reset(seed=0)
    predictor = environment.trained.predictor
    assert isinstance(predictor, Latent)
    context = Context(torch.from_numpy(info["frames"])[None], [0])
    draws = Draws.first(environment._seed, [0])
    expected = predictor.predict(context, 4, environment.choice, draws).frames[0]
    assert numpy.array_equal(frames(environment, 1), expected.numpy())


# ---- what is refused


@pytest.mark.parametrize(
    ("models", "changes", "message"),
    [
        (["sequence_vae"], {}, "SequenceVAE cannot be driven in"),
        (["autoencoder"], {}, "the priors none. Give an autoencoder and the priors"),
        (["srnn"], {}, "draws as LatentOptions says. Give one: latents, temperature, frames"),
        (["srnn"], {"choice": CHOICES["rfn"]["drawn"]}, "flow"),
        (["srnn"], {"choice": tiny.ARGMAX}, "draws as LatentOptions says"),
        (["prednet"], {"frames_per_prediction": CLIP}, f"Choose 1 to {CLIP - HALF}"),
    ],
)
def test_what_makes_no_sense_is_refused(
    models: list[str], changes: dict[str, Any], message: str, own: Path
) -> None:
    with pytest.raises(UserError) as raised:
        LearnedDriving(**(paths(own, *models) | changes))
    assert message in str(raised.value)


def test_an_action_is_refused_where_none_is_taken(own: Path) -> None:
    environment = make(own, "prednet")
    environment.reset(seed=0)
    with pytest.raises(UserError, match="Give no number at all"):
        environment.step(numpy.zeros(1, numpy.float32))
