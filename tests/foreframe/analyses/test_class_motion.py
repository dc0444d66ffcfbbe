"""Motion of the true clips of each class: by hand, and as it grows with what moves."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import class_motion
from foreframe.analyses.subject import Found
from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from tests.foreframe.analyses.asked import subject
from tests.foreframe.predictors import cascades

FRAMES, SIDE = 5, 4
SHAPE = (FRAMES, SIDE, SIDE, 3)
SPEEDS = (3, 10)  # grey levels a frame, of what goes left and of what goes right
LABELS = torch.tensor([0, 1] * 9 + [-1])


def brightening(speed: int) -> Tensor:
    """Return a clip (T,H,W,3) that grows brighter by so much in each frame."""
    return (speed * torch.arange(FRAMES))[:, None, None, None].expand(SHAPE).to(torch.uint8)


def asked(folder: Path, model: Any = None, given: int = 0, **changes: Any) -> Found:
    known: dict[str, Any] = {"kind": "class_motion", "clips": None, "show": 0, "label": "way"}
    true = torch.stack([brightening(SPEEDS[max(0, int(label))]) for label in LABELS])
    model = model or cascades.ready(cascades.told())
    with hdf5.creating(folder / "a.h5", "analysis", {}) as file:
        about = subject(file, model, true, given=given, options=cascades.WHOLE)
        about = replace(about, labels={"way": LABELS})
        return class_motion.analyse(about, class_motion.Settings(**(known | changes)))


@pytest.mark.parametrize("given", [0, 2])
def test_a_class_moves_as_its_clips_do(given: int, tmp_path: Path) -> None:
    found = asked(tmp_path, given=given).values
    assert found.keys() == {"left", "right"}  # none is still
    for name, speed in zip(("left", "right"), SPEEDS, strict=True):
        assert found[name]["motion"]["mean"] == pytest.approx(speed / 255)
        assert found[name]["motion"]["clips"] == 9


def test_what_stands_still_does_not_move_and_noise_moves_by_its_mean_difference() -> None:
    still = torch.full((1, *SHAPE), 77, dtype=torch.uint8)
    blinking = still.clone()
    blinking[:, ::2] = 0
    found = class_motion.motion(torch.cat([still, blinking]))
    torch.testing.assert_close(found, torch.tensor([0, 77 / 255]).double())


def test_what_tells_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"A single frame shows no motion\. Raise"):
        asked(tmp_path, given=FRAMES - 1)
    with pytest.raises(UserError, match=r"Cascade is not told the label way\. Give"):
        asked(tmp_path, cascades.model())
    with pytest.raises(UserError, match="Other is not told the label"):
        asked(tmp_path, SimpleNamespace(name="Other"))
    with pytest.raises(ValueError, match=r"show is 2, but numbers are found"):
        asked(tmp_path, show=2)
