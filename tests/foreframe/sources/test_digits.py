"""Still digits: each image once, in the middle of its frame, with its label."""

import struct
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import digits
from foreframe.sources.reading import digit_images
from tests.foreframe.sources import copies
from tests.foreframe.sources.synthetic_episodes import gathered

COUNTS = {"train": 5, "test": 3}


def settings(**changes: Any) -> digits.Settings:
    known: dict[str, Any] = {"kind": "digits", "height": 12, "width": 14, "frame_interval": 1.0}
    known |= {"hole": 0, "digit_images": "scikit_learn", "side": 8, "download": False}
    known |= {"train_images": COUNTS["train"], "test_images": COUNTS["test"]}
    return digits.Settings(**(known | changes))


def mnist(folder: Path, labelled: bool = True) -> None:
    """Write files of MNIST's form whose image n is of the grey level n + 1 and shows n."""
    for part, count in COUNTS.items():
        levels = numpy.arange(1, count + 1, dtype=numpy.uint8).repeat(28 * 28).tobytes()
        header = struct.pack(">4I", digit_images.MAGIC, count, 28, 28)
        (folder / digit_images.FILES[part]).write_bytes(header + levels)
        if labelled:
            header = struct.pack(">2I", digit_images.LABEL_MAGIC, count)
            (folder / digit_images.LABELS[part]).write_bytes(header + bytes(range(count)))


def middle(frame: NDArray[numpy.uint8], side: int) -> NDArray[numpy.uint8]:
    top, left = (frame.shape[0] - side) // 2, (frame.shape[1] - side) // 2
    inner: NDArray[numpy.uint8] = frame[top : top + side, left : left + side, 0]
    assert frame.astype(int).sum() == 3 * inner.astype(int).sum()  # grey, and black around
    return inner


def test_each_image_is_an_episode_in_the_order_of_its_set() -> None:
    found = copies.check_suffixes(digits, settings(), Path())
    assert [each.part for each in found] == ["train"] * 5 + ["test"] * 3
    stored = [digit_images.load("scikit_learn", part, Path())[: COUNTS[part]] for part in COUNTS]
    for each, image in zip(found, numpy.concatenate(stored), strict=True):
        assert len(each.frames) == 1
        assert numpy.array_equal(middle(each.frames[0], 8), image)


def test_a_digit_may_be_larger_than_it_is_stored() -> None:
    (first, *_) = copies.collect(digits, settings(side=12), Path())
    image = digit_images.load("scikit_learn", "train", Path())[:1]
    assert numpy.array_equal(middle(first.frames[0], 12), digit_images.scaled(image, 12)[0])


def test_an_episode_with_a_hole_is_its_task_and_its_answer() -> None:
    whole = copies.collect(digits, settings(), Path())
    for task, alone in zip(copies.collect(digits, settings(hole=4), Path()), whole, strict=True):
        assert len(task.frames) == 2
        assert numpy.array_equal(task.frames[1], alone.frames[0])
        assert not task.frames[0, 4:8, 5:9].any()


def test_all_images_are_read_where_nothing_else_is_asked() -> None:
    stream = digits.stream(settings(train_images=None, test_images=None), 0, Path(), 1, 0)
    assert next(stream.episodes).total == 1797


def test_the_label_is_the_digit(tmp_path: Path) -> None:
    mnist(tmp_path)
    stream = digits.stream(settings(digit_images="mnist"), 0, tmp_path, 1, 2)
    assert stream.labels == {"digit": digit_images.DIGITS}
    for episode in stream.episodes:
        shown = int(gathered(episode)["frames"].max()) - 1
        assert episode.labels == {"digit": shown}
        assert episode.origin == f"MNIST {episode.part} {shown}"


def test_without_files_of_labels_there_are_none(tmp_path: Path) -> None:
    mnist(tmp_path, labelled=False)
    stream = digits.stream(settings(digit_images="mnist"), 0, tmp_path, 1, 0)
    assert stream.labels == {} and next(stream.episodes).labels == {}


def test_more_images_than_there_are_is_refused() -> None:
    with pytest.raises(UserError, match=r"test_images is 1000, but scikit-learn digits has 359"):
        digits.stream(settings(test_images=1000), 0, Path(), 1, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"side": 13}, "side is 13, but frames are 12 x 14"),
        ({"download": True}, "download is true, but scikit_learn"),
        ({"hole": 5}, "no middle"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)
