"""The way from one clip's motion to another's, and what is measured of it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import sequence_interpolation
from foreframe.errors import UserError
from foreframe.predictors.rfn import RecurrentFlow
from foreframe.randomness import generator
from tests.foreframe.analyses.asked import analysed, told
from tests.foreframe.predictors import test_recurrent, test_rfn

SHAPE = (3, test_rfn.SIDE, test_rfn.SIDE, 3)
BETWEEN = 3


def flow() -> RecurrentFlow:
    return test_rfn.ready().float()


def beginning(count: int) -> Tensor:
    """Return clips (N,T,H,W,3) that begin with one frame."""
    frames = generator(0, "clips").integers(0, 256, (count, *SHAPE)).to(torch.uint8)
    frames[1:, 0] = frames[0, 0]
    return frames


def asked(folder: Path, model: Any, frames: Tensor) -> Any:
    chosen = sequence_interpolation.Settings(
        kind="sequence_interpolation", clips=None, show=0, between=BETWEEN
    )
    more = {"options": test_rfn.PLAIN}
    return analysed(folder / "a.h5", sequence_interpolation, chosen, model, frames, **more)


def test_a_clip_for_each_step_begins_as_both_do(tmp_path: Path) -> None:
    frames = beginning(5)
    found, stored = asked(tmp_path, flow(), frames)
    ends, between = (torch.from_numpy(stored[name]) for name in ("ends", "between"))
    assert torch.equal(ends, frames[:2])
    assert between.shape == (BETWEEN + 2, *SHAPE)
    assert (between[:, 0] == frames[0, 0]).all()
    # The fifth clip has no other.
    assert (found.values["pairs"], found.values["even_step"]) == (2, 1 / (BETWEEN + 1))
    assert found.values["largest_step"]["clips"] == 2
    alone, _ = asked(tmp_path, flow(), frames[:2])
    for name, value in sequence_interpolation._measured(between[:, 1:]).items():
        assert alone.values[name]["mean"] == pytest.approx(value)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_fade_is_even_and_no_distance_from_a_fade(count: int) -> None:
    ends = 60 * torch.arange(4).reshape(2, 1, 2, 1, 1)
    shares = torch.arange(count).reshape(-1, 1, 1, 1, 1) / (count - 1)
    found = sequence_interpolation._measured(ends[:1] + shares * (ends[1:] - ends[:1]))
    assert found == {
        "largest_step": pytest.approx(1 / (count - 1)),
        "from_fade": pytest.approx(0, abs=1e-6),
    }


def test_a_jump_is_one_step_and_as_far_from_a_fade_as_an_end() -> None:
    made = torch.zeros(5, 1, 2, 2, 3).to(torch.uint8)
    made[2:] = 200
    assert sequence_interpolation._measured(made) == {"largest_step": 1, "from_fade": 1}
    still = sequence_interpolation._measured(made[2:])
    assert still == {"largest_step": 0, "from_fade": 0}


def test_clips_that_begin_otherwise_are_refused(tmp_path: Path) -> None:
    frames = beginning(4)
    frames[3, 0, 0, 0, 0] += 1
    with pytest.raises(UserError, match=r"must begin with one frame\. Give data whose episodes do"):
        asked(tmp_path, flow(), frames)


def test_a_single_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has 1 clip, and mixes two\. Raise clips"):
        asked(tmp_path, flow(), beginning(1))


def test_a_predictor_that_is_no_flow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be led along .* Give a recurrent flow\."):
        asked(tmp_path, told(), test_recurrent.clips(2, 3))
