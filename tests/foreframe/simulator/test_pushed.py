"""Laws of drives in which modules move slots: what is pushed goes the way that is wished."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from torch import Tensor

from foreframe.networks.noise import Drawn
from foreframe.predictors import learned
from foreframe.randomness import Draws
from foreframe.simulator.environment import LearnedDriving
from foreframe.simulator.episodes import centres
from tests.foreframe.predictors import sliding, test_scoff
from tests.stages import evaluation_study as tiny
from workflow.drive import controls

CHOICES = {
    "vim": sliding.MEAN.model_dump(),
    "scoff": test_scoff.OPTIONS.model_dump(),
}
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
NOTHING = numpy.zeros(2, numpy.float32)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study with untrained predictors."""
    study = tiny.Study(tmp_path_factory.mktemp("pushed"))
    tiny.make_data(study)
    learned.ROLE.save(study.folder / "vim.safetensors", sliding.model(tiny.SIZE))
    learned.ROLE.save(study.folder / "scoff.safetensors", test_scoff.model(tiny.SIZE))
    return study.folder


def make(own: Path, kind: str) -> LearnedDriving:
    study = tiny.Study(own)
    files: dict[str, Any] = {
        name: study.path(name) for name in ("frames", "split", "normalization")
    }
    models = [own / f"{kind}.safetensors"]
    return LearnedDriving(**files, models=models, choice=CHOICES[kind])


def moved(environment: LearnedDriving, seed: int) -> tuple[Any, Tensor, Tensor]:
    """Return an episode, and by module how far the slot goes and the frame that it makes."""
    environment.reset(seed=seed)
    episode: Any = environment._episode
    predictor, moves, frames = episode.predictor, [], []
    noise = Drawn(Draws.first(environment._seed, [0]), "predict", torch.device("cpu"))
    before_12 = centres(episode.light_KHW[episode.slot][None])
    with torch.no_grad():
        for module in range(predictor.module_count):
            forced_1IK = torch.full((1, predictor.iterations, predictor.slot_count), -1)
            forced_1IK[..., episode.slot] = module
            given = forced_1IK, episode.time, environment.choice, noise
            rendered, _ = predictor.push(episode.state, *given)
            moves.append(centres(rendered.light[:, episode.slot]) - before_12)
            frames.append(predictor.scaling.outward(rendered.frame[:, :, None])[0, 0])
    return episode, torch.cat(moves), torch.stack(frames)


@pytest.mark.parametrize("kind", CHOICES)
@pytest.mark.parametrize("key", WAYS)
def test_a_key_takes_the_module_that_goes_furthest_that_way(key: str, kind: str, own: Path) -> None:
    environment = make(own, kind)
    keys = controls.of(environment.trained)
    assert keys.names == ("right", "down") and keys.said == controls.PUSHED
    for seed in range(4):
        _, moves_M2, frames_MHWC = moved(environment, seed)
        wanted = int((moves_M2 @ torch.tensor(WAYS[key], dtype=torch.float32)).argmax())
        found = torch.from_numpy(environment.step(keys.action([key]))[0])
        # All modules at once, which moves the last bits.
        assert (found.int() - frames_MHWC[wanted].int()).abs().max() <= 1
    assert len(frames_MHWC.unique(dim=0)) > 1


@pytest.mark.parametrize("kind", CHOICES)
def test_where_nothing_is_wished_the_world_goes_on_by_itself(kind: str, own: Path) -> None:
    environment = make(own, kind)
    environment.reset(seed=3)
    episode: Any = environment._episode
    state, time = episode.state, episode.time
    frames = numpy.stack([environment.step(NOTHING)[0] for _ in range(6)])
    noise = Drawn(Draws.first(environment._seed, [0]), "predict", torch.device("cpu"))
    with torch.no_grad():
        for step, found in enumerate(frames):
            given = time + step, environment.choice, noise
            x_1CHW, state = episode.predictor.advance(state, *given)
            wanted = episode.predictor.scaling.outward(x_1CHW[:, :, None])[0, 0].numpy()
            assert numpy.array_equal(found, wanted)
    check_env(environment, skip_render_check=True)


def test_the_place_of_light_is_its_mean() -> None:
    light = torch.zeros(2, 5, 7)
    light[0, 1, 4] = 3.0
    light[0, 3, 6] = 1.0
    assert centres(light).tolist() == [[4.5, 1.5], [0.0, 0.0]]
