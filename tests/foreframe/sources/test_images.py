"""Pictures in folders: their order, sets and classes, and folders that say nothing clear."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from foreframe.errors import UserError
from foreframe.sources import images
from tests.foreframe.sources import copies

LEVELS = {"train/cat/2.png": 20, "train/cat/10.png": 100, "train/dog/1.png": 30,
          "test/cat/1.png": 40, "test/dog/a.jpg": 50}  # fmt: skip


def settings(**changes: Any) -> images.Settings:
    known: dict[str, Any] = {"kind": "images", "height": 8, "width": 8, "frame_interval": 1.0}
    return images.Settings(**(known | {"hole": 0, "classes": "folders"} | changes))


def picture(path: Path, level: int = 0, size: tuple[int, int] = (12, 12)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numpy.full((*size, 3), level, numpy.uint8)).save(path, quality=100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, level in LEVELS.items():
        picture(tmp_path / name, level)
    (tmp_path / "README.md").write_text("where they are from")
    return tmp_path


def test_pictures_come_by_set_class_and_name_whatever_their_size(folder: Path) -> None:
    picture(folder / "train/dog/2.png", 60, size=(30, 9))
    found = copies.check_suffixes(images, settings(), folder)
    levels = LEVELS | {"train/dog/2.png": 60}
    order = ["train/cat/2.png", "train/cat/10.png", "train/dog/1.png", "train/dog/2.png",
             "test/cat/1.png", "test/dog/a.jpg"]  # fmt: skip
    assert [each.origin for each in found] == order
    assert [each.part for each in found] == ["train"] * 4 + ["test"] * 2
    for each in found:
        assert (each.frames == levels[each.origin]).all(), each.origin


def test_folders_are_classes_or_say_nothing(folder: Path) -> None:
    stream = images.stream(settings(), 0, folder, 1, 0)
    assert stream.labels == {"class": ("cat", "dog")}
    assert [each.labels["class"] for each in stream.episodes] == [0, 0, 1, 0, 1]
    stream = images.stream(settings(classes="none"), 0, folder, 1, 0)
    assert stream.labels == {} and all(each.labels == {} for each in stream.episodes)
    (whole,) = {each.part for each in copies.collect(images, settings(), folder / "train")}
    assert whole == ""


def test_a_hole_makes_an_episode_a_task_and_its_answer(folder: Path) -> None:
    for each in copies.collect(images, settings(hole=4), folder):
        assert not each.frames[0, 2:6, 2:6].any() and (each.frames[1] == LEVELS[each.origin]).all()


Spoil = Callable[[Path], object]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "train/cat/x.png").write_bytes(b"\x89PNG no more"), "x.png"),
        (lambda root: (root / "train/cat/x.txt").write_text("x"), "x.txt is no image"),
        (lambda root: (root / "train/bird").mkdir(), "bird has no pictures"),
        (lambda root: picture(root / "train/bird/1.png"), "the class bird, but not in test"),
        (lambda root: picture(root / "train/1.png"), "outside of the folder of a class"),
        (lambda root: picture(root / "more/cat/1.png"), "which are sets, and beside them more"),
    ],
)
def test_unclear_folders_are_refused_by_name(folder: Path, spoil: Spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message):
        copies.collect(images, settings(), folder)


def test_one_class_has_nothing_to_be_told_from(tmp_path: Path) -> None:
    picture(tmp_path / "cat/1.png")
    with pytest.raises(UserError, match="one class, cat"):
        copies.collect(images, settings(), tmp_path)
