"""Sharpness before and after an event: predictors that blur by a rule known by hand."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import blur
from foreframe.analyses.one_step import Event
from foreframe.analyses.subject import Found
from foreframe.config.sampling import Options
from foreframe.metrics.relative import FLOOR
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.randomness import Draws, generator
from tests.foreframe.analyses.asked import FIRST, analysed, rows

COUNT, GIVEN, FRAMES, SIDE, HIGH = 32, 2, 6, 4, 128
NEVER = -1


def boards(contrast_NS: Tensor) -> Tensor:
    """Return frames (N,S,H,W,3): a board whose fields differ by so many grey levels."""
    places = torch.arange(SIDE)
    field_HW = (places[:, None] + places) % 2
    levels_NSHW = contrast_NS[..., None, None] * field_HW
    return levels_NSHW[..., None].expand(-1, -1, -1, -1, 3).to(torch.uint8)


class Fading(Predictor):
    """Goes on with boards of a contrast (N,S) of each clip."""

    def __init__(self, contrast_NS: Tensor) -> None:
        self.contrast_NS = contrast_NS

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        assert context.given == GIVEN and horizon == self.contrast_NS.shape[1]
        assert list(draws.clips) == list(context.numbers) and not any(draws.futures)
        rows = [number - FIRST for number in draws.clips]
        return Prediction(boards(self.contrast_NS[rows]))


def octaves(contrast: float) -> float:
    """Return the sharpness of a board against the true one; that of a field is 4 levels."""
    made, real = (4 * each / 255 for each in (contrast, HIGH))
    return math.log2((made + FLOOR) / (real + FLOOR))


def asked(folder: Path, contrast_NS: Tensor, hit_NT: Tensor, later: int = 0) -> Found:
    event = Event(states=("hit",), later=later)
    chosen = blur.Settings(kind="blur", clips=None, show=0, event=event)
    true = boards(torch.full(hit_NT.shape, HIGH))
    more: dict[str, Any] = {"given": GIVEN, "options": Options(), "states": {"hit": hit_NT}}
    return analysed(folder / "a.h5", blur, chosen, Fading(contrast_NS), true, **more)[0]


def hits(times: list[int]) -> Tensor:
    """Return when each clip is hit, (N,T)."""
    hit_NT = torch.zeros(len(times), FRAMES)
    for clip, time in enumerate(times):
        if time != NEVER:
            hit_NT[clip, time] = 1
    return hit_NT


def after(times: list[int]) -> Tensor:
    """Return which predicted frames (N,S) are not before the hit."""
    times_N = torch.tensor([FRAMES if time == NEVER else time for time in times])
    return torch.arange(GIVEN, FRAMES) >= times_N[:, None]


TIMES = [GIVEN, GIVEN + 1, GIVEN + 3, NEVER] * (COUNT // 4)


@pytest.mark.parametrize("drift", [0, 1])
@pytest.mark.parametrize("at_once", [0, 1])
def test_what_comes_with_the_event_is_told_from_what_comes_with_time(
    drift: int, at_once: int, tmp_path: Path
) -> None:
    step_NS = drift * torch.arange(FRAMES - GIVEN) + at_once * after(TIMES)
    found = asked(tmp_path, HIGH / 2**step_NS, hits(TIMES)).values
    # Those who were hit at the second and the fourth of four frames have frames before it.
    before, late = (0 + 1) / 2, (2 + 3) / 2
    assert found["before"] == {**found["before"], "clips": COUNT // 2}
    assert found["before"]["mean"] == pytest.approx(-drift * before, abs=0.01)
    assert found["after"]["mean"] == pytest.approx(-at_once - drift * late, abs=0.01)
    assert found["change"]["mean"] == pytest.approx(-at_once - 2 * drift, abs=0.02)
    for end in ("mean", "low", "high"):
        assert found["beyond"][end] == pytest.approx(-at_once, abs=0.02)


def test_frames_are_measured_in_octaves_of_the_true_ones(tmp_path: Path) -> None:
    contrast_NS = torch.where(after(TIMES), 16, 64)
    found = asked(tmp_path, contrast_NS, hits(TIMES))
    assert found.values["before"]["mean"] == pytest.approx(octaves(64))
    assert found.values["after"]["mean"] == pytest.approx(octaves(16))
    assert found.values["beyond"]["mean"] == pytest.approx(octaves(16) - octaves(64))
    assert rows(found, "before", "sharpness") == pytest.approx([octaves(64)] * 4)
    assert rows(found, "after", "sharpness") == pytest.approx([octaves(16)] * 4)


def test_frames_without_such_clips_have_no_row(tmp_path: Path) -> None:
    found = asked(tmp_path, torch.full((2, FRAMES - GIVEN), 64), hits([GIVEN + 1, GIVEN + 2]))
    frames = {
        name: [row["frame"] for row in found.series if row["predictor"] == name]
        for name in ("before", "after")
    }
    assert frames == {"before": [1, 2], "after": [2, 3, 4]}


@pytest.mark.parametrize(
    ("times", "later", "wanted"),
    [
        ([NEVER] * 9, 0, set()),
        ([GIVEN] * 9, 0, set()),  # nothing is before it
        ([GIVEN - 1] * 9, 0, set()),  # it happens in a given frame
        ([GIVEN - 1] * 9, 2, {"before", "after", "change"}),  # and shows in a predicted one
        ([GIVEN + 1] + [NEVER] * 7, 0, {"before", "after", "change"}),
        ([GIVEN + 1] + [NEVER] * 8, 0, {"before", "after", "change", "beyond"}),
    ],
)
def test_what_too_few_clips_tell_is_left_out(
    times: list[int], later: int, wanted: set[str], tmp_path: Path
) -> None:
    contrast_NS = torch.full((len(times), FRAMES - GIVEN), 64)
    assert asked(tmp_path, contrast_NS, hits(times), later).values.keys() == wanted


def test_the_interval_answers_for_the_clips_that_wait_too() -> None:
    """Clips differ by chance and not by the event: 95 of 100 intervals ought to hold 0."""
    count, trials = 48, 200
    # So few wait to the end that their chance is most of it.
    times_N = torch.arange(count) % 12
    after_NS = torch.arange(6) >= times_N[:, None] // 2 + 1
    after_NS[-10:] = False
    held = 0
    for trial in range(trials):
        numbers = generator(0, "octaves", trial)
        own_N1, noise_NS = numbers.normal((count, 1)), numbers.normal((count, 6))
        slow_NS = numbers.normal((count, 1)) * torch.arange(6) / 2
        found = blur._beyond((own_N1 + noise_NS + slow_NS).double() - 3, after_NS)["beyond"]
        held += found["low"] <= 0 <= found["high"]
    assert 0.9 <= held / trials <= 0.99
