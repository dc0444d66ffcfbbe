"""Drives of BDD100K are split by folder; lists say which of them are read."""

from pathlib import Path

import pytest

from foreframe.errors import UserError
from foreframe.sources import bdd100k
from tests.foreframe.sources import copies

SETTINGS = bdd100k.Settings(kind="bdd100k", height=16, width=16, frame_interval=0.04)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, names in {"train": "cab", "val": "d", "test": "ef"}.items():
        for number, name in enumerate(names):
            copies.video(tmp_path / "bdd100k/videos" / part / f"{name}.mov", count=number + 2)
    return tmp_path


def origins(folder: Path) -> list[tuple[str, str]]:
    found = copies.collect(bdd100k, SETTINGS, folder)
    return [(episode.origin, episode.part) for episode in found]


def test_drives_are_episodes_of_their_folder(folder: Path) -> None:
    found = copies.check_suffixes(bdd100k, SETTINGS, folder)
    assert [(episode.origin, len(episode.frames)) for episode in found[:3]] == [
        ("train/a", 3),
        ("train/b", 4),
        ("train/c", 2),
    ]
    assert [episode.part for episode in found] == [*["train"] * 3, "validation", "test", "test"]
    assert copies.same(copies.collect(bdd100k, SETTINGS, folder, workers=2), found)
    for root in (folder / "bdd100k/videos", folder / "bdd100k"):
        assert copies.same(copies.collect(bdd100k, SETTINGS, root), found)


def test_lists_say_which_drives_are_read(folder: Path) -> None:
    (folder / "train.txt").write_text("c.mov\na\n")
    (folder / "val.txt").write_text("\n")
    assert origins(folder) == [
        ("train/c", "train"),
        ("train/a", "train"),
        ("test/e", "test"),
        ("test/f", "test"),
    ]
    (folder / "train.txt").write_text("c\nz\n")
    with pytest.raises(UserError, match=r"train/z\.mov is missing"):
        origins(folder)
    (folder / "train.txt").write_text("c\nc.mov\n")
    with pytest.raises(UserError, match="names a drive twice"):
        origins(folder)


def test_a_drive_in_two_sets_is_named(folder: Path) -> None:
    (folder / "bdd100k/videos/test/a.mov").write_bytes(b"")
    with pytest.raises(UserError, match="the drive a is in train and in test"):
        origins(folder)


def test_damage_and_empty_copies(folder: Path, tmp_path: Path) -> None:
    path = folder / "bdd100k/videos/train/b.mov"
    path.write_bytes(path.read_bytes()[:-10])
    assert list(bdd100k.survey(folder).damage()) == [f"{path} is cut short"]
    path.write_bytes(b"")
    assert list(bdd100k.survey(folder).damage()) == [f"{path} is empty"]
    with pytest.raises(UserError, match=r"b\.mov"):
        origins(folder)
    with pytest.raises(UserError, match="no folder train, val or test"):
        origins(tmp_path / "bdd100k/videos/train")
    (tmp_path / "other/val").mkdir(parents=True)
    with pytest.raises(UserError, match="has no videos"):
        origins(tmp_path / "other")
