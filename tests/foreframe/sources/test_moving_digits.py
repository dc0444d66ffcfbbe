"""Moving digits fly, bounce and overlap as the published generator says; MNIST is read safely."""

import gzip
import struct
from pathlib import Path

import numpy
import pytest
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.randomness import numpy_generator
from foreframe.sources import moving_digits
from foreframe.sources.reading import digit_images
from tests.foreframe.sources.synthetic_episodes import gathered, recorded, settings


def test_a_digit_flies_straight_until_it_hits_a_border_and_leaves_it_again() -> None:
    flight = moving_digits.fly(numpy_generator(0, "a flight"), 32, (7, 20))
    places = [next(flight) for _ in range(2000)]
    steps = numpy.diff([(x, y) for x, y, _ in places], axis=0)
    assert 1 < sum(hit for *_, hit in places) < 1000
    for time in range(1, len(steps)):
        x, y, hit = places[time]
        assert 0 <= x <= 31
        assert 0 <= y <= 31
        if not hit and not places[time + 1][2]:
            assert (steps[time] == steps[time - 1]).all()
        if hit and not places[time + 1][2]:
            away = [step for step, at in zip(steps[time], (x, y), strict=True) if at in (0, 31)]
            assert any(step != 0 for step in away)
    assert abs(steps).max() <= 4


def test_states_say_where_the_digits_are() -> None:
    for _, _, found in recorded("moving_digits", digits=1, height=64, width=64):
        for frame, (x, y, _) in zip(found["frames"], found["states"].astype(int), strict=True):
            outside = frame.copy()
            outside[y : y + 32, x : x + 32] = 0
            assert not outside.any()
            assert frame.any()


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_each_digit_has_its_states_and_its_share_of_the_light(digits: int) -> None:
    found = [each for *_, each in recorded("moving_digits", digits=digits)]
    assert {each["states"].shape[-1] for each in found} == {3 * digits}
    lit = numpy.mean([(each["frames"] > 0).mean() for each in found])
    alone = numpy.mean([(e["frames"] > 0).mean() for *_, e in recorded("moving_digits", digits=1)])
    # What overlaps is lit once.
    assert 0.6 * digits * alone < lit < 1.2 * digits * alone


def test_synchronised_episodes_share_their_motion_and_nothing_else() -> None:
    found = [each for *_, each in recorded("moving_digits", shared="motion")]
    assert all(numpy.array_equal(each["states"], found[0]["states"]) for each in found)
    assert len({each["frames"].tobytes() for each in found}) > 15
    apart = [each["states"].tobytes() for *_, each in recorded("moving_digits")]
    assert len(set(apart)) == len(apart)


def test_episodes_that_share_their_first_frame_part_after_it() -> None:
    found = [each["frames"] for *_, each in recorded("moving_digits", shared="first_frame")][:8]
    assert all(numpy.array_equal(each[0], found[0][0]) for each in found)
    assert len({each[1].tobytes() for each in found}) > 4


def test_overlapping_digits_are_added_and_cut_off() -> None:
    bright, dim = numpy.full((1, 2, 2), 200, numpy.uint8), numpy.full((1, 2, 2), 30, numpy.uint8)
    both = moving_digits.draw(numpy.concatenate([bright, bright]), [(0, 0), (1, 1)], 4)
    assert both[1, 1].tolist() == [255] * 3
    assert both[0, 0].tolist() == [200] * 3
    sum_ = moving_digits.draw(numpy.concatenate([bright, dim]), [(0, 0), (1, 1)], 4)
    assert sum_[1, 1].tolist() == [230] * 3


def test_training_and_test_digits_are_different_images() -> None:
    train, test = (digit_images.load("scikit_learn", part, Path()) for part in ("train", "test"))
    assert len(train) + len(test) == 1797
    assert not {each.tobytes() for each in train} & {each.tobytes() for each in test}


def idx(images: NDArray[numpy.uint8]) -> bytes:
    return struct.pack(">4I", 2051, len(images), *images.shape[1:]) + images.tobytes()


def test_mnist_is_read_from_its_own_files(tmp_path: Path) -> None:
    random = numpy_generator(0, "images")
    images = random.integers(0, 256, (7, 28, 28)).astype(numpy.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[::-1])))
    assert numpy.array_equal(digit_images.read_mnist(tmp_path, "train"), images)
    assert numpy.array_equal(digit_images.read_mnist(tmp_path, "test"), images[::-1])
    origins = [
        origin for origin, *_ in recorded("moving_digits", folder=tmp_path, digit_images="mnist")
    ]
    assert origins[0] == "Stochastic Moving MNIST train 0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no file train-images"),
        (b"short", "cut short"),
        (struct.pack(">4I", 2049, 1, 28, 28) + bytes(784), "no IDX file"),
        (struct.pack(">4I", 2051, 2**31, 28, 28), "no IDX file"),
        (struct.pack(">4I", 2051, 3, 28, 28) + bytes(2 * 784), "says it has 3 images, but holds 2"),
    ],
)
def test_a_damaged_mnist_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match=message):
        recorded("moving_digits", folder=tmp_path, digit_images="mnist")


def test_a_packed_mnist_that_is_damaged_or_a_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(100))[:-9])
    with pytest.raises(UserError, match="cannot be read"):
        digit_images.read_mnist(tmp_path, "train")
    header = struct.pack(">4I", 2051, 1, 28, 28)
    path.write_bytes(gzip.compress(header + bytes(200 << 20), compresslevel=1))
    with pytest.raises(UserError, match="says it has 1 images"):
        digit_images.read_mnist(tmp_path, "train")


def test_a_lone_digit_is_its_episodes_label() -> None:
    content = settings("moving_digits", digits=1, height=64, width=64)
    stream = moving_digits.stream(content, 0, Path(), 1, 0)
    assert stream.labels == {"digit": digit_images.DIGITS}
    seen = set()
    for episode in stream.episodes:
        found = gathered(episode)
        x, y, _ = found["states"][0].astype(int)
        shown = found["frames"][0, y : y + 32, x : x + 32, 0]
        images = digit_images.load("scikit_learn", episode.part, Path())
        labels = digit_images.labels("scikit_learn", episode.part, Path())
        assert labels is not None and len(labels) == len(images)
        same = (digit_images.scaled(images, 32) == shown).all(axis=(1, 2))
        assert set(labels[same]) == {episode.labels["digit"]}
        seen.add(episode.labels["digit"])
    assert len(seen) > 4


def test_labels_of_mnist_are_read_where_they_lie(tmp_path: Path) -> None:
    content = settings("moving_digits", digits=1, digit_images="mnist", frames_per_episode=1)
    images = numpy.arange(3, dtype=numpy.uint8).repeat(28 * 28).reshape(3, 28, 28) + 1
    for part in digit_images.FILES:
        (tmp_path / digit_images.FILES[part]).write_bytes(idx(images))
    assert moving_digits.stream(content, 0, tmp_path, 1, 0).labels == {}
    for name in digit_images.LABELS.values():
        (tmp_path / name).write_bytes(struct.pack(">2I", 2049, 3) + bytes([5, 0, 9]))
    digit_images.labels.cache_clear()
    for episode in moving_digits.stream(content, 0, tmp_path, 1, 0).episodes:
        brightness = int(gathered(episode)["frames"].max())
        assert episode.labels == {"digit": {1: 5, 2: 0, 3: 9}[brightness]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack(">2I", 2049, 3) + bytes([5, 0]), "no label for each of 3 images"),
        (struct.pack(">2I", 2051, 3) + bytes([5, 0, 9]), "no label for each of 3 images"),
        (struct.pack(">2I", 2049, 3) + bytes([5, 0, 10]), "has the label 10, no digit"),
    ],
)
def test_damaged_labels_of_mnist_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    images = numpy.zeros((3, 28, 28), numpy.uint8)
    (tmp_path / digit_images.FILES["train"]).write_bytes(idx(images))
    (tmp_path / digit_images.LABELS["train"]).write_bytes(content)
    with pytest.raises(UserError, match=message):
        digit_images.labels("mnist", "train", tmp_path)


def test_two_digits_are_no_class() -> None:
    assert moving_digits.stream(settings("moving_digits"), 0, Path(), 1, 0).labels == {}
