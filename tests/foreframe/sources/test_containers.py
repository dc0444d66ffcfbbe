"""Equal frames in different containers become equal episodes, for any number of workers."""

from pathlib import Path

import numpy
import pytest

from foreframe.data import writing as frames_writing
from tests.foreframe.sources import containers

LENGTHS = (40, 2, 33, 5, 3, 7, 2, 2, 2, 2, 4)


@pytest.mark.parametrize("name", containers.CONTAINERS)
def test_every_container_gives_back_what_was_put_in(name: str, tmp_path: Path) -> None:
    write, kind = containers.CONTAINERS[name]
    recordings = containers.random(*LENGTHS)
    found = containers.collect(kind, write(tmp_path / "data", recordings))
    # Natural order: take2 before take10.
    assert len(found) == len(recordings)
    for episode, recording in zip(found, recordings, strict=True):
        assert recording.name in episode.origin or name == "hdf5 flat"
        assert numpy.array_equal(episode.frames, recording.frames)
        if episode.actions.size:
            assert numpy.array_equal(episode.actions, recording.actions)
            assert numpy.array_equal(episode.states, recording.states)
    assert (found[0].actions.size > 0) == (kind in ("npz", "hdf5"))


@pytest.mark.parametrize(("height", "width", "interval"), [(8, 8, 0.25), (20, 8, 0.07)])
def test_other_sizes_and_intervals_are_equal_too(
    height: int, width: int, interval: float, tmp_path: Path
) -> None:
    recordings = containers.random(41, 9)
    found = {
        name: containers.collect(
            kind, write(tmp_path / name, recordings), height=height, width=width,
            frame_interval=interval,
        )
        for name, (write, kind) in containers.CONTAINERS.items()
    }  # fmt: skip
    for episodes in found.values():
        for one, two in zip(episodes, found["videos"], strict=True):
            # The last picture of a video stands for as long as its file says.
            assert abs(len(one.frames) - len(two.frames)) <= 1
            assert all(map(numpy.array_equal, one.frames, two.frames))
    actions = [[each.actions for each in found[name]] for name in ("npz", "hdf5 groups")]
    assert all(map(numpy.array_equal, *actions))


@pytest.mark.parametrize("name", ["images", "npz", "hdf5 groups", "hdf5 flat"])
def test_what_was_recorded_before_is_left_out(name: str, tmp_path: Path) -> None:
    write, kind = containers.CONTAINERS[name]
    folder = write(tmp_path / "data", containers.random(*LENGTHS[:4]))
    whole = containers.collect(kind, folder)
    for first in range(5):
        assert containers.same(containers.collect(kind, folder, first=first), whole[first:])


@pytest.mark.parametrize("name", ["images", "npz", "hdf5 flat"])
def test_two_workers_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    write, kind = containers.CONTAINERS[name]
    folder = write(tmp_path / "data", containers.random(*LENGTHS[:3]))
    two = containers.collect(kind, folder, workers=2)
    assert containers.same(two, containers.collect(kind, folder))


def test_what_collect_wrote_is_a_source(tmp_path: Path) -> None:
    recordings = containers.random(20, 9)
    folder = containers.hdf5_groups(tmp_path / "first", recordings)
    first = containers.collect("hdf5", folder)
    (tmp_path / "second").mkdir()
    layout = frames_writing.Layout(
        height=16, width=24, frame_interval=0.1, source="hdf5",
        actions=("steer", "gas"), states=("state_0",), labels={}, chunk=8,
    )  # fmt: skip
    with frames_writing.creating(tmp_path / "second" / "frames.h5", layout) as writer:
        for episode in containers.stream("hdf5", folder).episodes:
            list(writer.add(episode))
    second = containers.collect("hdf5", tmp_path / "second")
    assert [each.origin for each in second] == [f"frames.h5/{each.origin}" for each in first]
    for one, two in zip(first, second, strict=True):
        assert numpy.array_equal(one.frames, two.frames)
        assert numpy.array_equal(one.actions, two.actions)
        assert numpy.array_equal(one.states, two.states)
