"""Laws of windows and codes: what codes cover is counted, and no frame is lost or seen twice."""

import pytest
import torch

from foreframe.errors import UserError
from foreframe.predictors.window import Window, held

WINDOWS = [
    Window(frames, {"top": cover, "bottom": cover // 2})
    for cover in (2, 4, 6)
    for frames in range(cover, 10 * cover, cover)
]


def codes(window: Window) -> dict[str, torch.Tensor]:
    """Return codes (1,T,1,1) that are the numbers of their code-frames."""
    return {
        level: torch.arange(window.frames // stride).reshape(1, -1, 1, 1)
        for level, stride in window.strides.items()
    }


@pytest.mark.parametrize("window", WINDOWS)
def test_half_a_window_is_the_most_whole_codes_that_are_no_more_but_at_least_one(
    window: Window,
) -> None:
    whole = range(window.cover, window.frames, window.cover)
    no_more = [frames for frames in whole if 2 * frames <= window.frames]
    assert window.half == max(no_more, default=window.cover)


@pytest.mark.parametrize("window", WINDOWS)
def test_given_frames_take_the_fewest_codes_that_cover_them(window: Window) -> None:
    for given in range(window.frames + 1):
        fewest = next(n for n in range(0, 99, window.cover) if n >= given)
        assert window.before(given) == fewest - given
        if fewest < window.frames:
            assert window.covered(given) == fewest
        else:
            with pytest.raises(UserError, match=rf"at most {window.frames - window.cover}\.$"):
                window.covered(given)


@pytest.mark.parametrize("window", WINDOWS)
def test_first_and_last_codes_are_the_window(window: Window) -> None:
    every = codes(window)
    for frames in range(0, window.frames, window.cover):
        first, last = window.first(every, frames), window.last(every, window.frames - frames)
        for level, whole in every.items():
            assert torch.equal(torch.cat([first[level], last[level]], dim=1), whole)
            assert first[level].shape[1] * window.strides[level] == frames
    with pytest.raises(UserError, match=f"multiple of {window.cover}"):
        window.first(every, window.cover + 1)


def test_filled_frames_are_whole_codes_of_which_the_given_ones_end_one() -> None:
    window = Window(12, {"top": 4, "bottom": 2})
    for count in range(1, 13):
        clip = torch.arange(count, dtype=torch.uint8).reshape(1, -1, 1, 1, 1)
        for given in range(1, count + 1):
            found = window.filled(clip, given).flatten().tolist()
            before, after = -given % 4, -(count - given) % 4
            assert found == [0] * before + list(range(count)) + [count - 1] * after


def test_a_clip_fills_a_window_if_nothing_must_be_added() -> None:
    window = Window(8, {"top": 4})
    filled = [(given, h) for given in range(9) for h in range(10) if window.is_filled(given, h)]
    assert filled == [(0, 8), (4, 4), (8, 0)]


def test_the_last_value_is_held() -> None:
    values = torch.arange(5.0).reshape(1, 5, 1)
    assert held(values, 0, 3).flatten().tolist() == [0, 1, 2]
    assert held(values, 3, 4).flatten().tolist() == [3, 4, 4, 4]
    assert held(values, 7, 2).flatten().tolist() == [4, 4]
