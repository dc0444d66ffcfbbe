"""CIFAR-10's binary files: each picture with its class, in its authors' order and sets."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import cifar10
from tests.foreframe.sources import copies

RECORDS = 20


def settings(**changes: Any) -> cifar10.Settings:
    known: dict[str, Any] = {"kind": "cifar10", "height": 32, "width": 32, "frame_interval": 1.0}
    return cifar10.Settings(**(known | {"hole": 0, "download": False} | changes))


def expected(file: int, number: int) -> NDArray[numpy.uint8]:
    """Return the picture of a record: random colours of its own."""
    noise = numpy.random.default_rng([file, number])
    return noise.integers(0, 256, (32, 32, 3), dtype=numpy.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of 20 pictures a file, whose classes go round and round."""
    monkeypatch.setattr(cifar10, "RECORDS", RECORDS)
    names = [name for part in cifar10.FILES.values() for name in part]
    (tmp_path / cifar10.FOLDER).mkdir()
    for file, name in enumerate(names):
        content = b"".join(
            bytes([number % 10]) + expected(file, number).transpose(2, 0, 1).tobytes()
            for number in range(RECORDS)
        )
        (tmp_path / cifar10.FOLDER / name).write_bytes(content)
    return tmp_path


def test_every_record_is_an_episode_of_its_class(folder: Path) -> None:
    found = copies.check_suffixes(cifar10, settings(), folder)
    assert [each.part for each in found] == ["train"] * 5 * RECORDS + ["test"] * RECORDS
    for place, each in enumerate(found):
        assert numpy.array_equal(each.frames, [expected(*divmod(place, RECORDS))])
    for first in (0, 1, RECORDS, 3 * RECORDS + 7):
        stream = cifar10.stream(settings(), 0, folder, 1, first)
        classes = [each.labels["class"] for each in stream.episodes]
        assert classes == [place % 10 for place in range(first, 6 * RECORDS)]
    assert len(stream.labels["class"]) == 10 and stream.labels["class"][9] == "truck"


def test_files_may_lie_in_the_folder_itself(folder: Path) -> None:
    inside = copies.collect(cifar10, settings(), folder)
    assert copies.same(copies.collect(cifar10, settings(), folder / cifar10.FOLDER), inside)


def test_a_hole_makes_an_episode_a_task_and_its_answer(folder: Path) -> None:
    (first, *_) = copies.collect(cifar10, settings(hole=16), folder)
    assert numpy.array_equal(first.frames[1], expected(0, 0))
    assert not first.frames[0, 8:24, 8:24].any()


def test_a_whole_copy_is_counted_and_a_spoiled_one_is_named(folder: Path) -> None:
    assert cifar10.DATASET.published == {"train": 5 * 10_000, "test": 10_000}
    found = cifar10.DATASET.find(folder)
    assert found.counts == {"train": 5 * RECORDS, "test": RECORDS} and not found.missing
    assert list(cifar10.DATASET.damage(folder)) == []

    path = folder / cifar10.FOLDER / "test_batch.bin"
    content = path.read_bytes()
    path.write_bytes(b"\x01" + content[1:])
    assert list(cifar10.DATASET.damage(folder)) == [
        "of the pictures of test 3 are of the class automobile, and should be 2"
    ]
    path.write_bytes(b"\x0a" + content[1:])
    (line,) = cifar10.DATASET.damage(folder)
    assert "test_batch.bin, picture 0, is of the class 10, but" in line
    with pytest.raises(UserError, match="picture 0, is of the class 10"):
        copies.collect(cifar10, settings(), folder)

    path.write_bytes(content[:-1])
    (line,) = cifar10.DATASET.damage(folder)
    assert line.endswith("has 61,459 bytes; 20 pictures have 61,460. Unpack it again.")
    with pytest.raises(UserError, match=r"test_batch\.bin has 61,459 bytes"):
        cifar10.stream(settings(), 0, folder, 1, 0)
    path.unlink()
    assert cifar10.DATASET.find(folder).missing == ("test_batch.bin",)
    with pytest.raises(UserError, match=r"not complete: test_batch\.bin is missing"):
        cifar10.stream(settings(), 0, folder, 1, 0)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    (tmp_path / cifar10.PICKLED).mkdir()
    (tmp_path / cifar10.PICKLED / "data_batch_1").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for folder in (tmp_path, tmp_path / cifar10.PICKLED):
        with pytest.raises(UserError, match=r"which is pickled.* Get the binary version"):
            cifar10.stream(settings(), 0, folder, 1, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has no data_batch_1\.bin"):
        cifar10.stream(settings(), 0, tmp_path / "empty", 1, 0)


def test_frames_are_square() -> None:
    with pytest.raises(ValueError, match="32 x 16, but those of cifar10 are square"):
        settings(width=16)
