"""Laws of the way between two poses: what follows it, what lays its ends over one another."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe.questions import pose_between
from foreframe.questions.subject import Answer
from tests.foreframe.questions import hand_made

STEPS, CLIPS = 5, hand_made.flat(*range(40, 50))
ASKED: dict[str, Any] = {"show": 2, "steps": STEPS}
BENT = (torch.arange(hand_made.LEVELS).double() / 255).square().mul(255)


class Flat:
    """Scenes of one grey level each, which goes evenly from one to another, or as `bent` says."""

    def __init__(self, bent: torch.Tensor | None = None) -> None:
        self.bent = torch.arange(hand_made.LEVELS).double() if bent is None else bent
        self.asked: list[tuple[int, int]] = []

    def between(self, frame: int, other: int, share: float) -> Any:
        self.asked.append((frame, other))
        first, second = 40 + frame % 1000, 240 - 10 * other
        level = self.bent[round((1 - share) * first + share * second)]
        return numpy.full((hand_made.SIDE, hand_made.SIDE, 3), int(level.round()), numpy.uint8)


def asked(path: Path, scenes: Any, **chosen: Any) -> tuple[Answer, dict[str, Any]]:
    """Return the answer of an autoencoder of grey levels about ways between those of scenes."""
    network = hand_made.model(**chosen)
    train = hand_made.flat(*range(6))
    return hand_made.asked(path, pose_between, ASKED, network, CLIPS, train=train, scenes=scenes)


def test_what_is_an_overlay_in_truth_is_found_by_both(tmp_path: Path) -> None:
    scenes = Flat()
    answer, arrays = asked(tmp_path / "a.h5", scenes)
    values = answer.values
    assert values["ways"] == len(CLIPS)
    for name in ("indices", "outputs", "blend", "decoded"):
        assert values[name]["mse"]["mean"] < (1 / 255) ** 2
        assert arrays[name].shape == arrays["true"].shape == (2, STEPS, 1, 32, 32, 3)
    assert values["over_blend"]["mean"] == pytest.approx(0, abs=1e-5)
    assert values["over_blend"]["clips"] == len(CLIPS)
    # Each test clip goes to a training clip, from the first on again where these are fewer.
    assert set(scenes.asked) == {(1000 + place, place % 6) for place in range(len(CLIPS))}


def test_indices_that_follow_the_truth_are_nearer_than_the_blend(tmp_path: Path) -> None:
    """Where the grey level of index i is bent as the scenes' is, the way goes through them."""
    answer, arrays = asked(tmp_path / "a.h5", Flat(BENT), order=BENT)
    values = answer.values
    assert values["indices"]["psnr"]["mean"] > 50 > values["blend"]["psnr"]["mean"]
    assert values["over_blend"]["high"] < 0
    assert torch.equal(arrays["true"][:, [0, -1]], arrays["decoded"][:, [0, -1]])
    middle = [
        row["mean"]
        for row in answer.series
        if (row["predictor"], row["frame"]) == ("blend", STEPS // 2 + 1)
    ]
    away = (arrays["blend"] - arrays["true"].double())[:, STEPS // 2].flatten(1) / 255
    assert len(middle) == 1 and float(away.square().mean()) > 1e-3


def test_without_an_order_the_way_leads_elsewhere(tmp_path: Path) -> None:
    order = torch.arange(hand_made.LEVELS).view(2, -1).T.flatten()
    values = asked(tmp_path / "a.h5", Flat(), order=order)[0].values
    assert values["over_blend"]["low"] > 0
    assert values["decoded"]["mse"]["mean"] < (1 / 255) ** 2 < values["indices"]["mse"]["mean"]


def test_means_are_over_the_steps_between_the_ends(tmp_path: Path) -> None:
    answer, _ = asked(tmp_path / "a.h5", Flat(BENT))
    for name in ("indices", "blend", "decoded"):
        rows = [row["mean"] for row in answer.series if row["predictor"] == name]
        assert len(rows) == STEPS
        assert answer.values[name]["psnr"]["mean"] == pytest.approx(sum(rows[1:-1]) / (STEPS - 2))


def test_pictures_whose_scenes_are_not_known_have_no_truth(tmp_path: Path) -> None:
    answer, arrays = asked(tmp_path / "a.h5", None)
    assert answer.values == {"missing": pose_between.MISSING}
    assert not answer.series
    # Reports show none of none.
    for name in ("true", "indices", "blend"):
        assert arrays[name].shape == (0, STEPS, 1, 32, 32, 3)
