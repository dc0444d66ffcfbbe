"""The sets are disjoint, contiguous in time, and no clip of one shares a frame with another."""

import itertools
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from foreframe.artefacts import hdf5
from foreframe.config.split import SETS, Split
from foreframe.data import clips, splits, writing
from foreframe.data import frames as frames_file
from foreframe.errors import ArtefactError, UserError
from foreframe.sources import Block, Episode
from stages import split as stage
from tests.foreframe.data import seen


def make(**changes: Any) -> Split:
    values = {
        "by": "time",
        "train": 0.8,
        "validation": 0.1,
        "test": 0.1,
    }
    return Split(**{**values, **changes})


def episodes_of(lengths: list[int]) -> list[clips.Run]:
    borders = [0, *itertools.accumulate(lengths)]
    return list(itertools.pairwise(borders))


def test_the_numbers_of_xu_2022() -> None:
    cut = splits.cut(episodes_of([208_144]), [""], make())
    assert cut.train == ((0, 166_515),)
    sizes = [stop - start for start, stop in (*cut.validation, *cut.test)]
    assert sum(sizes) == 208_144 - 166_515
    assert set(sizes) <= {20_814, 20_815}
    seen_by = seen.view(frames=16, train_stride=1, evaluation_stride=8)
    assert [len(seen_by.starts(cut, name)) for name in SETS] == [166_500, 2_600, 2_600]


@given(
    lengths=st.lists(st.integers(16, 200), min_size=1, max_size=30),
    shares=st.tuples(*[st.integers(1, 8)] * 3),
    by=st.sampled_from(["time", "episode"]),
    stride=st.integers(1, 20),
)
def test_no_clip_shares_a_frame_with_another_set_or_leaves_its_episode(
    lengths: list[int], shares: tuple[int, int, int], by: str, stride: int
) -> None:
    fractions = dict(zip(SETS, (share / sum(shares) for share in shares), strict=True))
    episodes = episodes_of(lengths)
    try:
        chosen = make(by=by, **fractions)
        cut = splits.cut(episodes, [""] * len(episodes), chosen)
    except UserError:
        assume(False)
    runs = [run for name in SETS for run in cut.runs(name)]
    # Together the sets are all frames, each once and in order of time.
    assert runs[0][0] == 0
    assert runs[-1][1] == sum(lengths)
    assert all(one[1] == two[0] for one, two in itertools.pairwise(runs))
    owner = numpy.full(sum(lengths), -1)
    for name in SETS:
        for start in clips.windows(cut.runs(name), 16, stride):
            clip = owner[start : start + 16]
            assert set(clip) <= {-1, SETS.index(name)}
            clip[:] = SETS.index(name)
            assert any(first <= start and start + 16 <= stop for first, stop in episodes)
    if by == "episode":
        assert set(runs) == set(episodes)


def test_by_episode_ten_equal_episodes_are_shared_eight_one_one() -> None:
    cut = splits.cut(episodes_of([20] * 10), [""] * 10, make(by="episode"))
    assert [len(cut.runs(name)) for name in SETS] == [8, 1, 1]


@pytest.mark.parametrize(
    ("lengths", "counts"),
    [
        # The sets begin at 0, 80 and 90. Two episodes end in the set after that of their middle,
        ([70, 18, 3, 9], [2, 1, 1]),
        # two begin in the set before it,
        ([78, 6, 14, 2], [1, 1, 2]),
        # and two have their middle where a set begins.
        ([76, 8, 12, 4], [1, 1, 2]),
    ],
)
def test_an_episode_belongs_to_the_set_in_which_its_middle_lies(
    lengths: list[int], counts: list[int]
) -> None:
    episodes = episodes_of(lengths)
    cut = splits.cut(episodes, [""] * len(episodes), make(by="episode"))
    assert [len(cut.runs(name)) for name in SETS] == counts
    assert [run for name in SETS for run in cut.runs(name)] == episodes


@pytest.mark.parametrize(
    ("lengths", "changes", "message"),
    [
        ([4], {}, r"test set has no frame.*at least 10 frames \(there are 4\)"),
        ([1] * 20, {"train": 0.89, "test": 0.01}, "test set has no frame.*at least 100 frames"),
        ([200, 200], {"by": "episode"}, "validation set has no frame.*longer or more episodes"),
    ],
)
def test_a_set_without_a_frame_is_named(
    lengths: list[int], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        splits.cut(episodes_of(lengths), [""] * len(lengths), make(**changes))


OFFICIAL = make(by="official", train=0.6, validation=0.2, test=0.2)


@given(
    st.lists(
        st.tuples(st.integers(16, 200), st.sampled_from(SETS)), min_size=3, max_size=30
    ).filter(lambda episodes: {part for _, part in episodes} == set(SETS))
)
def test_official_sets_are_kept_whatever_the_fractions(episodes: list[tuple[int, str]]) -> None:
    lengths, parts = zip(*episodes, strict=True)
    cut = splits.cut(episodes_of(list(lengths)), parts, OFFICIAL)
    for name in SETS:
        runs = zip(episodes_of(list(lengths)), parts, strict=True)
        assert cut.runs(name) == tuple(run for run, part in runs if part == name)


def test_without_an_official_validation_set_the_last_training_episodes_are_it() -> None:
    # Test episodes lie in between: only what trains is shared out, three parts to one.
    parts = ["train", "test"] * 8
    episodes = episodes_of([20, 30] * 8)
    cut = splits.cut(episodes, parts, OFFICIAL)
    assert cut.test == tuple(episodes[1::2])
    assert cut.train == tuple(episodes[0:12:2])
    assert cut.validation == tuple(episodes[12::2])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["", "", ""], "no official sets. Choose time or episode"),
        (["train", "", "test"], "set is '', which is none of train, validation, test"),
        (["train", "dev", "test"], "set is 'dev', which is none of"),
        (["train", "train", "train"], "official test set has no frame"),
        (["test", "validation", "test"], "official train set has no frame"),
        (["train", "test", "test"], "official validation set has no frame"),
    ],
)
def test_official_sets_that_are_none_are_named(parts: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        splits.cut(episodes_of([40, 40, 40]), parts, OFFICIAL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": 0.9}, "add up to 1.1"),
        ({"train": 0.7}, "add up to 0.9"),
        ({"train": 0.9, "test": 0.0}, "test"),
        ({"train": 1.0, "validation": 0.1, "test": -0.1}, "test"),
        ({"by": "random"}, "by"),
    ],
)
def test_fractions_that_are_none_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make(**changes)


def test_fractions_with_rounding_errors_are_taken() -> None:
    assert make(train=0.7, validation=0.2, test=0.1).train == 0.7


def test_the_stage_writes_what_the_library_cuts(tmp_path: Path) -> None:
    path, out = tmp_path / "frames.h5", tmp_path / "split.json"
    layout = writing.Layout(8, 8, 0.1, "test", (), (), {}, 16)
    with writing.creating(path, layout) as writer:
        for length, part in ((300, "train"), (40, "test")):
            frames = numpy.zeros((length, 8, 8, 3), numpy.uint8)
            block = Block(frames, *2 * [numpy.zeros((length, 0), numpy.float32)])
            list(writer.add(Episode("tape", 2, iter([block]), part)))
    stage.main(frames=path, split=make(), out=out)
    cut = clips.load_split(out)
    assert cut == splits.cut([(0, 300), (300, 340)], ["train", "test"], make())
    assert cut.validation == ((272, 300), (300, 306))


def test_the_stage_keeps_to_the_official_sets_of_its_frames(tmp_path: Path) -> None:
    path, out = tmp_path / "frames.h5", tmp_path / "split.json"
    with writing.creating(path, writing.Layout(8, 8, 0.1, "test", (), (), {}, 16)) as writer:
        for part in ("test", "validation", "train"):
            frames = numpy.zeros((20, 8, 8, 3), numpy.uint8)
            block = Block(frames, *2 * [numpy.zeros((20, 0), numpy.float32)])
            list(writer.add(Episode("tape", 3, iter([block]), part)))
    assert frames_file.parts(path) == ["test", "validation", "train"]
    stage.main(frames=path, split=OFFICIAL, out=out)
    cut = clips.load_split(out)
    assert (cut.test, cut.validation, cut.train) == (((0, 20),), ((20, 40),), ((40, 60),))


def test_frames_from_before_official_sets_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    with hdf5.creating(path, "frames", {}) as file:
        hdf5.store(file, "frames", numpy.zeros((4, 8, 8, 3), numpy.uint8))
        for name, value in (("start", 0), ("length", 4), ("origin", "tape")):
            hdf5.store(file, f"episode_{name}", numpy.array([value]))
    with pytest.raises(ArtefactError, match="does not say which sets are official"):
        frames_file.parts(path)
    assert frames_file.episodes(path) == [(0, 4)]


def test_a_file_that_holds_no_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "frames.h5").write_text("no frames")
    with pytest.raises(ArtefactError, match=r"frames\.h5"):
        stage.main(frames=tmp_path / "frames.h5", split=make(), out=tmp_path / "split.json")
    assert not (tmp_path / "split.json").exists()
