"""SVHN's cropped digits out of MATLAB's files: each picture upright, with the digit it shows."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import scipy.io
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import svhn
from tests.foreframe.sources import copies

COUNTS = {"extra": 13, "train": 11, "test": 3}


def settings(**changes: Any) -> svhn.Settings:
    known: dict[str, Any] = {"kind": "svhn", "height": 32, "width": 32, "frame_interval": 1.0}
    return svhn.Settings(**(known | {"hole": 0, "extra": False, "download": False} | changes))


def expected(name: str) -> NDArray[numpy.uint8]:
    """Return the pictures of a file, (N, 32, 32, 3): random colours."""
    noise = numpy.random.default_rng(COUNTS[name])
    return noise.integers(0, 256, (COUNTS[name], 32, 32, 3), dtype=numpy.uint8)


def write(folder: Path, name: str, **changes: Any) -> None:
    """Write a file in which picture n shows the digit n mod 10."""
    digits = [[number % 10 or 10] for number in range(COUNTS[name])]
    content = {"X": numpy.moveaxis(expected(name), 0, -1), "y": numpy.array(digits, numpy.uint8)}
    # Packed, as the authors' are, and with the digits first by turns.
    order = ["y", "X"] if name == "test" else ["X", "y"]
    written = {key: changes.get(key, content[key]) for key in order}
    scipy.io.savemat(folder / svhn.FILE.format(name), written, do_compression=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(svhn, "COUNTS", COUNTS)
    write(tmp_path, "train")
    write(tmp_path, "test")
    return tmp_path


def test_every_picture_is_an_episode_with_its_digit(folder: Path) -> None:
    found = copies.check_suffixes(svhn, settings(), folder)
    assert [each.part for each in found] == ["train"] * 11 + ["test"] * 3
    pictures = numpy.concatenate([expected("train"), expected("test")])
    for each, picture in zip(found, pictures, strict=True):
        assert numpy.array_equal(each.frames, [picture])
    for first in (0, 4, 11, 12, 14):
        stream = svhn.stream(settings(), 0, folder, 1, first)
        digits = [stream.labels["digit"][each.labels["digit"]] for each in stream.episodes]
        assert digits == [*"01234567890", *"012"][first:]


def test_extra_pictures_train_before_the_others(folder: Path) -> None:
    write(folder, "extra")
    plain = copies.collect(svhn, settings(), folder)
    found = copies.check_suffixes(svhn, settings(extra=True), folder)
    assert [each.part for each in found] == ["train"] * 24 + ["test"] * 3
    assert [each.origin for each in found[13:]] == [each.origin for each in plain]
    assert numpy.array_equal(found[12].frames, expected("extra")[12:])
    assert svhn.DATASET.find(folder).counts == COUNTS
    with pytest.raises(ValueError, match=r"extra_32x32\.mat \(1\.3 GB\) is not downloaded"):
        settings(extra=True, download=True)


def test_a_whole_copy_is_counted_and_a_spoiled_one_is_named(folder: Path) -> None:
    assert svhn.DATASET.published == {"train": 73_257, "test": 26_032}
    found = svhn.DATASET.find(folder)
    assert found.counts == {"train": 11, "test": 3} and not found.missing
    assert list(svhn.DATASET.damage(folder)) == []
    path = folder / "test_32x32.mat"
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    (line,) = svhn.DATASET.damage(folder)
    assert "test_32x32.mat is damaged or cut short" in line
    assert svhn.DATASET.find(folder).missing == ("test_32x32.mat",)
    path.unlink()
    with pytest.raises(UserError, match=r"not complete: test_32x32\.mat is missing"):
        svhn.stream(settings(), 0, folder, 1, 0)
    (folder / "train_32x32.mat").unlink()
    with pytest.raises(UserError, match=r"has no train_32x32\.mat"):
        svhn.stream(settings(), 0, folder, 1, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"X": numpy.zeros((32, 32, 3, 4), numpy.uint8)}, "has 4 pictures; SVHN's has 3"),
        ({"X": numpy.zeros((28, 28, 3, 3), numpy.uint8)}, "has no pictures X of 32 x 32"),
        ({"X": numpy.zeros((32, 32, 3, 3))}, "has no pictures X of 32 x 32"),
        ({"y": numpy.ones((2, 1), numpy.uint8)}, "has no digit y for each of 3 pictures"),
        ({"y": numpy.ones((3, 1))}, "has no digit y for each of 3 pictures"),
        ({"y": numpy.array([[1], [11], [2]], numpy.uint8)}, "has the digit 11; they are 1 to 10"),
        ({"y": numpy.array([[1], [0], [2]], numpy.uint8)}, "has the digit 0; they are 1 to 10"),
    ],
)
def test_other_arrays_are_refused(changes: dict[str, Any], said: str, folder: Path) -> None:
    write(folder, "test", **changes)
    with pytest.raises(UserError, match=rf"test_32x32\.mat {said}"):
        svhn.stream(settings(), 0, folder, 1, 0)
    assert [said in line for line in svhn.DATASET.damage(folder)] == [True]


def test_frames_are_square() -> None:
    with pytest.raises(ValueError, match="32 x 16, but those of svhn are square"):
        settings(width=16)
