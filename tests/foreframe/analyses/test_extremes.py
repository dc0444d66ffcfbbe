"""The best and the worst futures: against an order that is known, and futures that are drawn."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import extremes
from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.metrics.ssim import ssim
from foreframe.predictors import Context, Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.randomness import Draws, generator
from tests.foreframe.analyses.asked import FIRST, analysed
from tests.foreframe.predictors.toy import Heat, Histogram

COUNT, GIVEN, FRAMES, SIDE = 11, 2, 5, 12  # more clips than a batch
# How many grey levels brighter every frame of a clip is than the one before.
STEPS = torch.tensor([4, 9, 0, 7, 2, 10, 6, 1, 8, 3, 5])


def clips() -> Tensor:
    """Return clips (N,T,H,W,3) of one picture, which brightens in each as fast as `STEPS` says."""
    picture_HWC = generator(0, "picture").integers(0, 200, (SIDE, SIDE, 3))
    brighter_NT = STEPS[:, None] * torch.arange(FRAMES)
    return (picture_HWC + brighter_NT[..., None, None, None]).to(torch.uint8)


def asked(path: Path, model: Predictor, each: int = 2, **more: Any) -> tuple[Any, dict[str, Any]]:
    chosen = extremes.Settings(kind="extremes", clips=None, show=0, each=each)
    return analysed(path, extremes, chosen, model, clips(), given=GIVEN, **more)


def test_what_moves_least_is_best_for_a_predictor_that_stands_still(tmp_path: Path) -> None:
    found, stored = asked(tmp_path / "a.h5", CopyLastFrame(), options=Options())
    frames = clips()
    still = frames[:, GIVEN - 1 : GIVEN].expand(-1, FRAMES - GIVEN, -1, -1, -1)
    score_N = ssim(frames[:, GIVEN:], still).mean(dim=1)
    assert found.values["motion"]["mean"] == pytest.approx(5.0)
    for name, steps in {"best": [0, 1], "worst": [10, 9]}.items():
        places = [STEPS.tolist().index(step) for step in steps]
        for part, wanted in {"real": frames[places], "future": still[places]}.items():
            assert torch.equal(torch.from_numpy(stored[f"{name}/{part}"]), wanted), part
        assert stored[f"{name}/ssim"].tolist() == pytest.approx(score_N[places].tolist())
        assert found.values[name]["ssim"]["mean"] == pytest.approx(score_N[places].mean().item())
        assert found.values[name]["motion"]["mean"] == pytest.approx(sum(steps) / 2)


def test_futures_that_are_shown_are_the_first_drawn_and_those_that_were_scored(
    tmp_path: Path,
) -> None:
    model, heat = Histogram(torch.zeros(SIDE, SIDE, 3, 256)), Heat(temperature=1.0)
    _, stored = asked(tmp_path / "a.h5", model, options=heat)
    frames, numbers = clips(), list(range(FIRST, FIRST + COUNT))
    known = Context(frames[:, :GIVEN], numbers)
    first = model.predict(known, FRAMES - GIVEN, heat, Draws.first(0, numbers)).frames
    order = ssim(frames[:, GIVEN:], first).mean(dim=1).argsort(descending=True).tolist()
    for name, places in {"best": order[:2], "worst": order[:-3:-1]}.items():
        assert torch.equal(torch.from_numpy(stored[f"{name}/future"]), first[places])


@pytest.mark.parametrize("each", [5, 6])
def test_no_clip_is_both_best_and_worst(each: int, tmp_path: Path) -> None:
    model, more = CopyLastFrame(), {"options": Options()}
    if each == 5:
        assert asked(tmp_path / "a.h5", model, each, **more)[0].values["best"]["ssim"]["clips"] == 5
        return
    with pytest.raises(UserError, match="11 clips, but 6 are to be best and as many worst"):
        asked(tmp_path / "a.h5", model, each, **more)
