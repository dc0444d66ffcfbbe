"""Futures beyond the end of the truth: against shorter ones, and clips that are worked out."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from foreframe.analyses import far
from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.metrics import motion, sharpness
from foreframe.metrics.relative import FLOOR
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.randomness import Draws, generator
from tests.foreframe.analyses.asked import FIRST, analysed, rows, told
from tests.foreframe.predictors.test_recurrent import DRAWN, MEAN, clips

COUNT, GIVEN, TRUE, FRAMES = 10, 2, 7, 14  # more clips than a batch; drawn to twice the truth


class Fading(Predictor):
    """Every frame is the one before it at `keep` of its contrast, as floats would have it."""

    def __init__(self, keep: float) -> None:
        self.keep = keep

    def _predict(
        self, context: Context, horizon: int, options: Options, draws: Draws
    ) -> Prediction:
        last = context.frames[context.places(draws), -1:].double()
        kept = self.keep ** torch.arange(1, horizon + 1).double()
        return Prediction(((last - 128) * kept[:, None, None, None] + 128).round().to(torch.uint8))


def settings(**changes: Any) -> far.Settings:
    known: dict[str, Any] = {"kind": "far", "clips": None, "show": 3, "frames": FRAMES}
    return far.Settings(**(known | {"others": {}} | changes))


def asked(folder: Path, model: Any, recorded: Tensor, **more: Any) -> tuple[Any, dict[str, Any]]:
    changes = {name: more.pop(name) for name in ("frames", "others", "show") if name in more}
    more = {"given": GIVEN, "options": DRAWN} | more
    return analysed(folder / "a.h5", far, settings(**changes), model, recorded, **more)


def test_a_far_future_begins_as_the_shorter_one_of_its_clip(tmp_path: Path) -> None:
    frames, numbers = clips(COUNT, TRUE), list(range(FIRST, FIRST + COUNT))
    _, stored = asked(tmp_path, told(), frames, show=COUNT)
    known = Context(frames[:, :GIVEN], numbers)
    short = told().predict(known, TRUE - GIVEN, DRAWN, Draws.first(0, numbers)).frames
    assert stored["shown"].shape == (COUNT, FRAMES - GIVEN, *frames.shape[2:])
    numpy.testing.assert_array_equal(stored["shown"][:, : TRUE - GIVEN], short)
    assert len({each.tobytes() for each in stored["shown"]}) == COUNT


@pytest.mark.parametrize("show", [0, 3, 99])
@pytest.mark.parametrize("true", [TRUE, FRAMES + 2])
def test_what_is_given_and_true_is_the_recordings_and_ends_with_it(
    true: int, show: int, tmp_path: Path
) -> None:
    frames = clips(COUNT, true)
    _, stored = asked(tmp_path, told(), frames, show=show)
    if not show:
        assert not stored
        return
    assert stored.keys() == {"context", "real", "shown"}
    numpy.testing.assert_array_equal(stored["context"], frames[:show, :GIVEN])
    numpy.testing.assert_array_equal(stored["real"], frames[:show, GIVEN:FRAMES])


def test_amounts_by_frame_are_those_of_the_metrics_as_far_as_there_are_frames(
    tmp_path: Path,
) -> None:
    frames = clips(COUNT, TRUE)
    found, stored = asked(tmp_path, told(), frames, show=COUNT)
    future = torch.from_numpy(stored["shown"])
    for name, shown in {"real": frames[:, GIVEN:], "shown": future}.items():
        for quantity, both in {"motion": motion.both, "sharpness": sharpness.both}.items():
            wanted = both(shown, shown)[..., 1].mean(dim=0).tolist()
            assert rows(found, name, quantity) == pytest.approx(wanted), (name, quantity)
    assert {row["predictor"] for row in found.series} == {"real", "shown"}
    assert found.values["change"].keys() == {"shown"}  # the truth has no far end here
    found, _ = asked(tmp_path, told(), clips(COUNT, FRAMES))
    assert found.values["change"].keys() == {"real", "shown"}


def test_a_clip_whose_contrast_fades_loses_the_same_share_from_end_to_end(tmp_path: Path) -> None:
    grey = torch.where(generator(0, "grey").uniform((COUNT, TRUE, 6, 6, 1)) < 0.5, 28, 228)
    frames, keep = grey.to(torch.uint8).expand(-1, -1, -1, -1, 3).contiguous(), 0.9
    found, _ = asked(tmp_path, Fading(keep), frames, options=Options(), frames=FRAMES + 6)
    change, lasts = found.values["change"]["shown"], FRAMES + 6 - GIVEN - far.ENDS
    assert found.values["ends"] == far.ENDS
    octaves = lasts * torch.tensor(keep).log2().item()
    assert change["sharpness"]["mean"] == pytest.approx(octaves, abs=0.05)
    assert change["sharpness"]["clips"] == COUNT
    assert change["motion"]["mean"] == pytest.approx(2 * octaves, rel=0.15)  # squared; rounded


def test_what_stands_still_from_the_first_frame_on_changes_by_nothing(tmp_path: Path) -> None:
    found, _ = asked(tmp_path, CopyLastFrame(), clips(COUNT, TRUE), options=Options())
    for quantity in ("motion", "sharpness"):
        assert found.values["change"]["shown"][quantity]["mean"] == 0.0
    assert rows(found, "shown", "motion") == [0.0] * (FRAMES - GIVEN)


def test_the_floors_are_those_of_the_metrics() -> None:
    """As the metrics have them: a true amount of nothing against a known predicted one."""
    still = torch.full((1, 2, 3, 3, 3), 100, dtype=torch.uint8)
    moved = still.clone()
    moved[:, 1, 1, 1] += 9
    for name, metric in (("motion", motion.motion), ("sharpness", sharpness.sharpness)):
        both, floor = far.AMOUNTS[name]
        none, some = both(still, moved).unbind(dim=-1)
        assert torch.equal(metric(still, moved), ((some + floor) / (none + floor)).log2().abs())
    assert far.AMOUNTS["sharpness"][1] == FLOOR


def test_other_ways_differ_from_the_shown_one_in_what_they_say(tmp_path: Path) -> None:
    frames, others = clips(COUNT, TRUE), {"still": {"latents": "mean", "frames": "mean"}}
    found, stored = asked(tmp_path, told(), frames, others=others)
    _, alone = asked(tmp_path, told(), frames, options=MEAN)
    assert stored.keys() == {"context", "real", "shown", "still"}
    numpy.testing.assert_array_equal(stored["still"], alone["shown"])
    assert (stored["still"] != stored["shown"]).any()
    assert found.values["change"].keys() == {"shown", "still"}
    with pytest.raises(UserError, match=r"others\.still"):
        asked(tmp_path, told(), frames, others={"still": {"heat": 1.0}})


@pytest.mark.parametrize("name", ["real", "context", "shown"])
def test_names_of_other_arrays_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"others\.{name}: this name is taken"):
        settings(others={name: {}})


def test_ends_that_overlap_are_refused(tmp_path: Path) -> None:
    least = GIVEN + 2 * far.ENDS
    asked(tmp_path, told(), clips(COUNT, TRUE), frames=least)
    with pytest.raises(UserError, match=f"Raise frames to {least} or more"):
        asked(tmp_path, told(), clips(COUNT, TRUE), frames=least - 1)
