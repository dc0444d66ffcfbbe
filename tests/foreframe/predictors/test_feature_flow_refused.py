"""What Feature Flow refuses: frames, widths, lengths of clips and files that do not fit."""

from pathlib import Path
from typing import Any

import pytest

from foreframe.artefacts import tensors
from foreframe.config.training import Ramp
from foreframe.errors import ArtefactError, UserError
from foreframe.networks.clip_features import Level
from foreframe.predictors.feature_flow import build
from foreframe.predictors.learned import ROLE
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.flowing import critic, game_plan, model, settings
from tests.foreframe.training.games import phase


@pytest.mark.parametrize("size", [(16, 12), (12, 16)])
def test_frames_that_are_not_square_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"takes square frames, not {size[0]} x {size[1]}"):
        build(settings(), moving.given(*size))


@pytest.mark.parametrize("rows", [8, 32])
def test_frames_that_are_not_halved_so_often_are_refused(rows: int) -> None:
    with pytest.raises(UserError, match=rf"{rows} rows are halved . times.*encoder has 2.*flow 2"):
        build(settings(), moving.given(rows))


def test_a_critic_with_more_levels_than_halvings_is_refused() -> None:
    with pytest.raises(UserError, match=r"halved 4 times.*the critic has 5 levels"):
        build(settings(critic=critic(2, 2, 2, 2, 2)), moving.given())


def volumes(count: int) -> dict[str, Any]:
    """Return a critic of volumes that each take two frames away."""
    levels = (Level(layer="volume", width=3),) * count
    return critic(4) | {"levels": levels, "pads_time": False}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"closed_frames": 5}, "view.frames is 5, of which 5 are closed: none is left"),
        (
            {"training": game_plan(phases=(phase(steps=1), phase(steps=1, frames=2)))},
            "frames of phase 2 is 2, of which 2 are closed",
        ),
        ({"closed_frames": 1}, "error_weight has nothing to weigh"),
        ({"view": moving.view()}, "view.scaling is unit"),
        ({"labels": ("digit",)}, "frames alone"),
        (
            {"generated_frames": Ramp(first=0.0, last=3.0, begin=0, steps=1, of="run")},
            "from 0.0 to 3.0, but of the view's 5 frames 1 to 3 can be made",
        ),
        (
            {"generated_frames": Ramp(first=1.0, last=4.0, begin=0, steps=1, of="run")},
            "from 1.0 to 4.0, but",
        ),
        ({"critic": volumes(3)}, "volumes need clips of 7 frames, and the shortest have 5"),
        (
            {"critic": volumes(2), "training": game_plan(phases=(phase(steps=1, frames=4),))},
            "need clips of 5 frames, and the shortest have 4",
        ),
        (
            {
                "critic": volumes(2),
                "generated_frames": Ramp(first=1.0, last=3.0, begin=0, steps=1, of="run"),
            },
            "need clips of 5 frames, and the shortest have 3",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kappa": 4}, "kappa is 4, but a patch has a middle"),
        ({"decoder": (6,)}, "decoder has 1 widths and encoder 2"),
        ({"condition": (6,)}, "condition has 1 widths and flow 2"),
        ({"latents": "none"}, "latents is none and latent_dim 3"),
        ({"latent_dim": 0}, "latents is each_frame and latent_dim 0"),
        ({"latents": "none", "latent_dim": 0, "condition": ()}, "nothing says where fixels go"),
    ],
)
def test_a_generator_that_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(changes)


def test_a_critic_alone_is_no_predictor(tmp_path: Path) -> None:
    built, path = model(), tmp_path / "critic"
    ROLE.save(path, built)
    _, header = tensors.read(path, ROLE.schema)
    del header["schema"], header["version"]
    alone = built.critic.state_dict()
    tensors.write(path, alone, "critic", header)
    with pytest.raises(ArtefactError, match="critic"):
        ROLE.load(path)
    tensors.write(path, alone, ROLE.schema, header)
    with pytest.raises(ArtefactError, match=r"(?s)other weights than a feature_flow.*dvc repro"):
        ROLE.load(path)
