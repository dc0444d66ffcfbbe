"""What RALI refuses: longer clips, given frames, sizes and settings that do not fit."""

from typing import Any

import pytest
import torch

from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.rali import Raising, Settings, build
from foreframe.randomness import Draws
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.test_rali import OPTIONS, game_plan, model, settings
from tests.foreframe.training.games import phase


def test_longer_clips_and_given_frames_are_refused() -> None:
    built, draws = model(), Draws.first(0, [3])
    nothing = Context(torch.empty(1, 0, 16, 16, 3, dtype=torch.uint8), [3])
    with pytest.raises(UserError, match="makes clips of 5 frames, not of 6"):
        built.predict(nothing, 6, OPTIONS, draws)
    known = Context(torch.zeros(1, 2, 16, 16, 3, dtype=torch.uint8), [3])
    with pytest.raises(UserError, match="is given 2 frames and would ignore them"):
        built.predict(known, 3, OPTIONS, draws)


@pytest.mark.parametrize("size", [(16, 12), (18, 18)])
def test_frames_that_are_not_square_or_not_halved_so_often_are_refused(
    size: tuple[int, int],
) -> None:
    with pytest.raises(UserError, match=rf"a multiple of 4, not {size[0]} x {size[1]}"):
        build(settings(), moving.given(*size))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expansion": None}, "latents is expanded, which needs an expansion"),
        ({"latents": "first"}, "latents is first, which uses no expansion"),
        ({"decoder": (Raising(layer="recurrent", width=4),)}, "decoder has 1 levels and encoder 2"),
        ({"labels": ("digit",)}, "given no labels"),
        ({"view": moving.view(scaling="symmetric")}, "view.scaling is symmetric"),
        (
            {"training": game_plan(phases=(phase(steps=1, frames=3),))},
            "makes clips of view.frames, and no shorter ones",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    known: dict[str, Any] = {name: getattr(settings(), name) for name in Settings.model_fields}
    with pytest.raises(ValueError, match=said):
        Settings(**(known | changes))
