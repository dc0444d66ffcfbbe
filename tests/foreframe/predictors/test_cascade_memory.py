"""What a turn keeps for its way back: clips may grow, a level that sees windows keeps as much."""

from typing import Any

import pytest

from benchmarks.cascade import Lesson, Size


def kept(kind: Any, frames: int, window: int = 2) -> int:
    size = Size(kind, frames, window, batch=2, channels=2, side=16, repeats=1)
    return Lesson(size).kept()


def test_a_level_that_sees_windows_keeps_as_much_however_long_clips_are() -> None:
    assert kept("upper", 24) == kept("upper", 12)


@pytest.mark.parametrize(
    "sizes",
    [
        [("whole", frames, 2) for frames in (8, 16, 24)],
        [("first", frames, 2) for frames in (8, 16, 24)],
        [("upper", 24, window) for window in (2, 4, 6)],
    ],
    ids=["whole", "first", "window"],
)
def test_what_is_kept_grows_evenly_with_the_frames_that_a_level_sees(sizes: Any) -> None:
    few, more, most = (kept(*size) for size in sizes)
    # Beside what is the same for all, such as the weights over their singular values.
    assert most - more == pytest.approx(more - few, rel=0.01)
    assert more - few > 0.5 * few
