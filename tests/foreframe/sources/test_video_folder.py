"""A folder of videos is read whole and in order, or refused with the name of what is wrong."""

from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreframe.errors import UserError
from foreframe.sources import video_folder
from foreframe.sources.reading import listing
from tests.foreframe.sources import making

SETTINGS = video_folder.Settings(kind="video_folder", height=16, width=16, frame_interval=0.1)


def collect(folder: Path, workers: int = 1) -> dict[str, numpy.ndarray]:
    """Return the frames of each episode by its origin."""
    return {
        episode.origin: numpy.concatenate([block.frames for block in episode.blocks])
        for episode in video_folder.stream(SETTINGS, 0, folder, workers, 0).episodes
    }


def test_videos_come_in_natural_order_whatever_made_them(tmp_path: Path) -> None:
    making.write(tmp_path / "clip10.mkv", making.moving(12))
    making.write(tmp_path / "clip2.gif", making.moving(40, 24, 24))
    making.write(tmp_path / "Clip1.webm", making.moving(20, 32, 64), rate=20)
    making.write(tmp_path / "clip3.MOV".lower(), making.moving(11, 64, 32))
    (tmp_path / "README.md").write_text("my videos")
    (tmp_path / ".hidden").write_text("")
    videos = collect(tmp_path)
    assert list(videos) == ["Clip1.webm", "clip2.gif", "clip3.mov", "clip10.mkv"]
    assert [len(frames) for frames in videos.values()] == [10, 40, 11, 12]
    two = collect(tmp_path, workers=2)
    assert list(two) == list(videos)
    assert all(numpy.array_equal(two[name], videos[name]) for name in videos)


@pytest.mark.parametrize("workers", [1, 2])
def test_videos_that_are_left_out_are_not_even_opened(workers: int, tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_text("no video at all")
    for name, length in (("b", 40), ("c", 12), ("d", 33)):
        making.write(tmp_path / f"{name}.mkv", making.moving(length, 16, 16))
    stream = video_folder.stream(SETTINGS, 0, tmp_path, workers, 1)
    found = [
        (episode.origin, episode.total, sum(len(block.frames) for block in episode.blocks))
        for episode in stream.episodes
    ]
    assert found == [("b.mkv", 4, 40), ("c.mkv", 4, 12), ("d.mkv", 4, 33)]
    assert (stream.actions, stream.states) == ((), ())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        collect(tmp_path / "nowhere")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("put videos here")
    with pytest.raises(UserError, match=f"{tmp_path.name} has no videos"):
        collect(tmp_path)


@pytest.mark.parametrize("name", ["notes.txt", "image.png", "folder.mp4/"])
def test_anything_that_is_no_video_is_named(name: str, tmp_path: Path) -> None:
    making.write(tmp_path / "a.mkv", making.moving(3))
    path = tmp_path / name
    path.mkdir() if name.endswith("/") else path.write_text("text")
    with pytest.raises(UserError, match=f"{path.name} is no video"):
        collect(tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_video_is_named(workers: int, tmp_path: Path) -> None:
    making.write(tmp_path / "a.mkv", making.moving(3))
    (tmp_path / "b.mp4").write_text("no video at all")
    with pytest.raises(UserError, match=r"b\.mp4 cannot be read"):
        collect(tmp_path, workers)


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=2))
def test_numbers_in_names_are_ordered_as_numbers(numbers: list[int]) -> None:
    paths = [Path(f"take {number} b.mp4") for number in numbers]
    ordered = sorted(paths, key=lambda path: listing.natural(path.name))
    assert [path.name for path in ordered] == [f"take {n} b.mp4" for n in sorted(numbers)]
