"""KITTI trains, Caltech tests, as PredNet has it; what lacks pictures is refused."""

import shutil
import struct
from pathlib import Path

import numpy
import pytest

from foreframe.errors import UserError
from foreframe.sources import kitti_caltech
from foreframe.sources.reading import seq_video
from tests.foreframe.sources import copies

SETTINGS = kitti_caltech.Settings(kind="kitti_caltech", height=8, width=8, frame_interval=0.1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy in which every recording has a few pictures, laid out in several ways."""
    folder = tmp_path_factory.mktemp("kitti_caltech")
    for number, name in enumerate(sorted({*kitti_caltech._drives(), *kitti_caltech.LEFT_OUT})):
        day = folder / "city" / name / name[:10] if number % 2 else folder / name[:10]
        for frame in range(3):
            copies.picture(day / name / "image_03/data" / f"{frame:010}.png", number + frame)
            # The other cameras are there, and are not read.
            copies.picture(day / name / "image_02/data" / f"{frame:010}.png", 255)
    for number, name in enumerate(kitti_caltech._clips()):
        inside = folder / name / "images" if number % 2 else folder / name
        for frame in range(7):
            copies.picture(inside / f"I{frame:05}.jpg", number + frame)
    return folder


def test_recordings_are_the_published_ones(made: Path) -> None:
    found = copies.check_suffixes(kitti_caltech, SETTINGS, made)
    assert kitti_caltech.survey(made).found().counts == kitti_caltech.DATASET.published
    assert copies.same(copies.collect(kitti_caltech, SETTINGS, made, workers=2), found)
    origins = {part: [e.origin for e in found if e.part == part] for part in ("train", "test")}
    assert len(origins["train"]) == 57
    assert all(origin.startswith("kitti/2011_") for origin in origins["train"])
    assert [e.origin for e in found if e.part == "validation"] == [
        "kitti/2011_09_26_drive_0005_sync"
    ]
    assert origins["test"][0] == "caltech/set06/V000"
    assert origins["test"][-1] == "caltech/set10/V011"
    names = {episode.origin.partition("/")[2] for episode in found}
    assert names.isdisjoint(kitti_caltech.LEFT_OUT)


def test_both_have_ten_frames_a_second(made: Path) -> None:
    found = copies.collect(kitti_caltech, SETTINGS, made)
    fast = SETTINGS.model_copy(update={"frame_interval": 1 / 30})
    every = copies.collect(kitti_caltech, fast, made)
    for slow, quick in zip(found, every, strict=True):
        if slow.part == "test":
            assert (len(slow.frames), len(quick.frames)) == (3, 7)
            assert numpy.array_equal(slow.frames, quick.frames[::3])
        else:
            assert len(slow.frames) == 3


def test_what_is_missing_is_named(made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    shutil.rmtree(copy / "set08/V003")
    shutil.rmtree(next(copy.glob("**/2011_09_26_drive_0001_sync/image_03")))
    with pytest.raises(UserError, match="2011_09_26_drive_0001_sync, set08/V003 are missing"):
        copies.collect(kitti_caltech, SETTINGS, copy)
    with pytest.raises(UserError, match=r"neither KITTI's .* nor Caltech's"):
        copies.collect(kitti_caltech, SETTINGS, tmp_path / "copy/set06/V000")


def test_gaps_and_empty_folders_are_named(made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    path = next(copy.glob("**/2011_09_28_drive_0002_sync/image_03/data"))
    (path / "0000000001.png").unlink()
    with pytest.raises(UserError, match=r"drive_0002.* lacks the pictures between 0 and 2"):
        copies.collect(kitti_caltech, SETTINGS, copy)
    for picture in path.iterdir():
        picture.unlink()
    with pytest.raises(UserError, match=r"drive_0002.* has no pictures"):
        copies.collect(kitti_caltech, SETTINGS, copy)


def seq(path: Path, pictures: list[bytes], stamp: int = 8, form: int = 102) -> Path:
    """Write a video as the dataset has it and return its path."""
    size = sum(map(len, pictures)) // len(pictures)
    header = struct.pack("<I24sII512s", 0xFEED, "Norpix seq".encode("utf-16-le"), 3, 1024, b"")
    header += struct.pack("<9Id", 8, 8, 24, 8, size, form, len(pictures), 0, size, 30.0)
    content = header.ljust(1024, b"\0")
    for picture in pictures:
        content += struct.pack("<I", len(picture) + 4) + picture + bytes(range(1, stamp + 1))
    path.write_bytes(content)
    return path


@pytest.fixture
def originals(made: Path, tmp_path: Path) -> Path:
    """Return the copy with .seq files in place of Caltech's pictures."""
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    for number, name in enumerate(kitti_caltech._clips()):
        pictures = [path.read_bytes() for path in sorted((copy / name).rglob("*.jpg"))]
        shutil.rmtree(copy / name)
        seq((copy / name).with_suffix(".seq"), pictures, stamp=(8, 16)[number % 2])
    return copy


def test_the_original_videos_are_read_as_their_pictures_are(made: Path, originals: Path) -> None:
    expected = copies.collect(kitti_caltech, SETTINGS, made)
    assert copies.same(copies.collect(kitti_caltech, SETTINGS, originals), expected)
    assert list(kitti_caltech.survey(originals).damage()) == []


def test_original_videos_cut_anywhere_are_refused(originals: Path) -> None:
    path = originals / "set06/V000.seq"
    content = path.read_bytes()
    for share in range(10):
        path.write_bytes(content[: len(content) * share // 10])
        words = "is empty" if share == 0 else "is cut short"
        assert list(kitti_caltech.survey(originals).damage()) == [f"{path} {words}"]
        with pytest.raises(UserError, match=r"set06/V000\.seq (is damaged|is no)"):
            list(seq_video.pictures(path))
    picture = copies.picture(originals / "a.jpg", 1).read_bytes()
    seq(path, [picture], form=100)
    with pytest.raises(UserError, match=r"pictures of the kind 100; JPEG"):
        list(seq_video.pictures(path))
    seq(path, [picture])
    assert list(seq_video.pictures(path)) == [picture]
