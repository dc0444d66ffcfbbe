"""Clips of a protocol: different ones, evenly spread, all of them inside runs of the set."""

from typing import Any

import pytest

from foreframe.config.futures import FutureSettings
from foreframe.data.clips import SplitRuns, windows
from foreframe.errors import UserError
from foreframe.evaluation import contexts
from tests.stages.evaluation_study import protocol as changed


def asked(**changes: Any) -> FutureSettings:
    return changed(**changes).futures


RUNS = SplitRuns(((0, 40),), ((40, 70),), ((70, 100), (100, 125)))


def test_clips_are_spread_evenly() -> None:
    assert contexts.evenly(6, 3).tolist() == [1, 3, 5]
    assert contexts.evenly(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert contexts.evenly(9, 1).tolist() == [4]
    for available in range(1, 30):
        for wanted in range(1, available + 1):
            assert len(set(contexts.evenly(available, wanted).tolist())) == wanted


@pytest.mark.parametrize("horizon", [1, 6, 16])
def test_clips_of_any_length_lie_inside_the_runs_of_their_set(horizon: int) -> None:
    protocol = asked(horizon=horizon, clips=3)
    chosen = contexts.choose(RUNS, protocol, "p")
    for start in chosen.starts.tolist():
        assert any(a <= start and start + protocol.frames <= b for a, b in RUNS.test)


def test_all_clips_of_a_set_are_those_of_its_split() -> None:
    protocol = asked(stride=5, clips=None)
    starts = windows(RUNS.test, protocol.frames, 5)
    assert contexts.choose(RUNS, protocol, "p").starts.tolist() == starts.tolist()


def test_a_clip_longer_than_every_run_is_refused() -> None:
    protocol = asked(horizon=40, clips=1)
    with pytest.raises(UserError, match=r"p\.futures\.clips is 1, but the test set has 0 clips"):
        contexts.choose(RUNS, protocol, "p")
