"""FFHQ by thousands: its numbers are its order and its sets, and its faces are square."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from foreframe.errors import UserError
from foreframe.sources import ffhq
from tests.foreframe.sources import copies

COUNT, TRAINING = 1004, 1001


def settings(**changes: Any) -> ffhq.Settings:
    known: dict[str, Any] = {"kind": "ffhq", "height": 8, "width": 8, "frame_interval": 1.0}
    return ffhq.Settings(**(known | {"hole": 0} | changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of 1,004 faces, each of a colour of its own, one file for many of them."""
    folder = tmp_path_factory.mktemp("ffhq")
    one = copies.picture(folder / "one.png", 1, 12, 12)
    for number in range(COUNT):
        path = folder / ffhq.FOLDERS[0] / f"{number // 1000 * 1000:05}" / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one, path)
    for number in (0, 2, 10, 999, 1000, 1003):
        thousand = folder / ffhq.FOLDERS[0] / f"{number // 1000 * 1000:05}"
        copies.picture(thousand / f"{number:05}.png", number, 12, 12)
    one.unlink()
    (folder / ffhq.FOLDERS[0] / "LICENSE.txt").write_text("Creative Commons")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ffhq, "COUNT", COUNT)
    monkeypatch.setattr(ffhq, "TRAINING", TRAINING)
    shutil.copytree(made, tmp_path / "ffhq")
    return tmp_path / "ffhq"


def face(folder: Path, number: int) -> Path:
    return folder / ffhq.FOLDERS[0] / f"{number // 1000 * 1000:05}" / f"{number:05}.png"


def test_faces_are_episodes_in_the_order_of_their_numbers(folder: Path) -> None:
    assert ffhq.DATASET.published == {"train": 60_000, "test": 10_000}
    found = copies.check_suffixes(ffhq, settings(), folder)
    assert [each.origin for each in found] == [f"{number:05}" for number in range(COUNT)]
    assert [each.part for each in found] == ["train"] * TRAINING + ["test"] * (COUNT - TRAINING)
    for number in (0, 2, 10, 999, 1000, 1003):
        assert (found[number].frames[..., 2] == 255 - number % 256).all()
    assert ffhq.stream(settings(), 0, folder, 1, 0).labels == {}
    assert copies.same(copies.collect(ffhq, settings(), folder, workers=2), found)


def test_other_layouts_have_the_same_faces(folder: Path) -> None:
    found = copies.collect(ffhq, settings(), folder)
    assert copies.same(copies.collect(ffhq, settings(), folder / ffhq.FOLDERS[0]), found)
    thumbnails = folder / ffhq.FOLDERS[1]
    copies.picture(thumbnails / "00000/00000.png", 77)
    assert copies.same(copies.collect(ffhq, settings(), folder), found)  # the larger ones
    shutil.rmtree(thumbnails)
    (folder / ffhq.FOLDERS[0]).rename(thumbnails)
    assert copies.same(copies.collect(ffhq, settings(), folder), found)
    flat = folder / "flat"
    flat.mkdir()
    for path in thumbnails.glob("*/*.png"):
        path.rename(flat / path.name)
    assert copies.same(copies.collect(ffhq, settings(), flat), found)


def test_what_is_missing_or_out_of_place_is_named(folder: Path) -> None:
    assert ffhq.DATASET.find(folder).counts == {"train": TRAINING, "test": COUNT - TRAINING}
    assert not ffhq.DATASET.find(folder).missing and not ffhq.DATASET.find(folder).extra
    face(folder, 1003).rename(face(folder, 3).with_name("01003.png"))
    copies.picture(face(folder, 1).with_name("me.png"), 3)
    found = ffhq.DATASET.find(folder)
    assert found.counts == {"train": TRAINING, "test": 2}
    assert found.missing == ("01003.png",) and found.extra == ("01003.png", "me.png")
    with pytest.raises(UserError, match=r"not complete: 01003\.png is missing"):
        ffhq.stream(settings(), 0, folder, 1, 0)
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="has no picture such as images1024x1024/00000/00000"):
        ffhq.stream(settings(), 0, folder / "empty", 1, 0)


def test_damaged_and_misshapen_faces_are_named(folder: Path) -> None:
    assert list(ffhq.DATASET.damage(folder)) == []
    wide = copies.picture(face(folder, 1), 1, 12, 16)
    cut = face(folder, 3)
    cut.write_bytes(cut.read_bytes()[:-30])
    assert list(ffhq.DATASET.damage(folder)) == [
        f"{wide} is 16 x 12, but the faces of FFHQ are square. Unpack images1024x1024 again.",
        f"{cut} is cut short",
    ]
    with pytest.raises(UserError, match=r"00001\.png is 16 x 12, but the faces"):
        copies.collect(ffhq, settings(), folder)
    with pytest.raises(UserError, match=r"00003\.png is damaged or cut short"):
        copies.collect(ffhq, settings(), folder, first=3)


def test_small_faces_are_not_made_larger_in_silence(folder: Path) -> None:
    with pytest.raises(UserError, match="is 12 x 12, smaller than frames of 16 x 16"):
        copies.collect(ffhq, settings(height=16, width=16), folder)
    with pytest.raises(ValueError, match="16 x 8, but those of ffhq are square"):
        settings(height=16)
