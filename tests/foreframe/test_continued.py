"""Clips of a protocol: different ones, evenly spread, all of them inside runs of the set."""

import pytest

from foreframe import continued
from foreframe.clips import SplitRuns
from foreframe.errors import UserError
from tests.stages.evaluation_study import PROTOCOL

RUNS = SplitRuns(((0, 40),), ((40, 70),), ((70, 100), (100, 125)), 8, 1, 5)


def test_clips_are_spread_evenly() -> None:
    assert continued.evenly(6, 3).tolist() == [1, 3, 5]
    assert continued.evenly(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert continued.evenly(9, 1).tolist() == [4]
    for available in range(1, 30):
        for wanted in range(1, available + 1):
            assert len(set(continued.evenly(available, wanted).tolist())) == wanted


@pytest.mark.parametrize("horizon", [1, 6, 16])
def test_clips_of_any_length_lie_inside_the_runs_of_their_set(horizon: int) -> None:
    protocol = PROTOCOL.model_copy(update={"horizon": horizon, "clips": 3})
    chosen = continued.choose(RUNS, protocol, "p")
    for start in chosen.starts.tolist():
        assert any(a <= start and start + protocol.frames <= b for a, b in RUNS.test)


def test_all_clips_of_a_set_are_those_of_its_split() -> None:
    protocol = PROTOCOL.model_copy(update={"clips": len(RUNS.starts("test"))})
    assert protocol.frames == RUNS.clip_frames
    assert continued.choose(RUNS, protocol, "p").starts.tolist() == RUNS.starts("test").tolist()


def test_a_clip_longer_than_every_run_is_refused() -> None:
    protocol = PROTOCOL.model_copy(update={"horizon": 40, "clips": 1})
    with pytest.raises(UserError, match=r"protocols\.p\.clips is 1, but the test set has 0 clips"):
        continued.choose(RUNS, protocol, "p")
