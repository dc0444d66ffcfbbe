"""A view's clips lie in its set; contradictions, and data without such clips, are named."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from foreframe.data import views
from foreframe.data.clips import SplitRuns
from foreframe.errors import UserError
from tests.foreframe.autoencoders import small
from tests.foreframe.data import seen
from tests.foreframe.data.test_clips import write

SPLIT = SplitRuns(((0, 40), (50, 70)), ((70, 90),), ((90, 99),))


def test_each_set_has_its_own_stride_unless_another_is_given() -> None:
    view = seen.view(train_stride=1)
    assert view.starts(SPLIT, "train").tolist() == [*range(33), *range(50, 63)]
    assert view.starts(SPLIT, "train", 8).tolist() == [0, 8, 16, 24, 32, 50, 58]
    assert view.starts(SPLIT, "validation").tolist() == [70, 74, 78, 82]


@given(frames=st.integers(1, 9), stride=st.integers(1, 9))
def test_two_views_of_one_split_see_clips_of_their_own_length(frames: int, stride: int) -> None:
    view = seen.view(frames=frames, evaluation_stride=stride)
    for start in view.starts(SPLIT, "test").tolist():
        assert start >= 90 and start + frames <= 99 and (start - 90) % stride == 0
    assert len(view.starts(SPLIT, "test")) == 1 + (9 - frames) // stride


def test_a_view_of_one_frame_sees_every_single_image(tmp_path: Path) -> None:
    everything = write(tmp_path / "frames.h5", [1] * 6, chunk=1)
    runs = SplitRuns(((0, 1), (1, 2), (2, 3), (3, 4)), ((4, 5),), ((5, 6),))
    with seen.view(frames=1, train_stride=5).clips(tmp_path / "frames.h5", runs, "train") as clips:
        assert clips.starts.tolist() == [0, 1, 2, 3]
        assert numpy.array_equal(clips.read([3, 0])[:, 0], everything[[3, 0]])


def test_a_set_without_a_clip_is_named() -> None:
    words = r"test set has no clip.* takes 10 frames.*longest run has 9\. Lower view\.frames"
    with pytest.raises(UserError, match=words):
        seen.view(frames=10).starts(SPLIT, "test")


def test_episodes_shorter_than_a_clip_are_all_named_to_the_model_that_asks(tmp_path: Path) -> None:
    write(tmp_path / "frames.h5", [20, 7, 8, 3, 5])
    runs = SplitRuns(((0, 20), (20, 27), (27, 35)), ((35, 38),), ((38, 43),))
    view, shorter = seen.view(), seen.view(frames=7)
    with pytest.raises(UserError, match=r"8 frames: tape 1 \(7 frames\)\. .*lower view\.frames"):
        view.clips(tmp_path / "frames.h5", runs, "train")
    assert len(shorter.clips(tmp_path / "frames.h5", runs, "train")) == 7 + 1 + 1
    many = SplitRuns(runs.train + runs.validation + runs.test, (), ())
    words = r"tape 1 \(7 frames\), tape 3 \(3 frames\), tape 4 \(5 frames\)\."
    with pytest.raises(UserError, match=words):
        view.clips(tmp_path / "frames.h5", many, "train")


def test_no_more_than_ten_short_episodes_are_listed(tmp_path: Path) -> None:
    write(tmp_path / "frames.h5", [3] * 14)
    runs = tuple((start, start + 3) for start in range(0, 42, 3))
    with pytest.raises(UserError, match=r"tape 9 \(3 frames\) and 4 more\."):
        views.refuse_short(tmp_path / "frames.h5", runs, 4, "view.frames")


def test_a_run_cut_short_by_the_split_is_no_short_episode(tmp_path: Path) -> None:
    write(tmp_path / "frames.h5", [20, 20])
    runs = SplitRuns(((0, 20), (20, 23)), ((23, 31),), ((31, 40),))
    for name, clips in (("train", 7), ("validation", 1), ("test", 1)):
        assert len(seen.view().clips(tmp_path / "frames.h5", runs, name)) == clips


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 0}, "frames"),
        ({"train_stride": 0}, "train_stride"),
        ({"bits": 0}, "bits"),
        ({"bits": 9}, "bits"),
        ({"of": "codes"}, "of"),
        ({"channels": None}, "channels is null, but of is frames"),
        ({"of": "states"}, "of is states, which have no channels"),
        ({"bits": 5}, "scaling is standard, which is measured on 8-bit colours"),
        ({"channels": "grey"}, "scaling is standard, which is measured on 8-bit colours"),
        ({"dequantise": True}, "scaling is standard, which is measured on 8-bit colours"),
    ],
)
def test_views_that_contradict_themselves_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        seen.view(**changes)


def test_a_view_that_a_model_is_not_built_for_is_refused() -> None:
    with pytest.raises(ValidationError, match="of is states, but vqvae is built for frames"):
        small.settings({**small.SMALL, "view": {**seen.FRAMES, **seen.STATES}})
