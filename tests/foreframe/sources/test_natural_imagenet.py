"""NaturalImageNet: twenty classes by name or by number, one of them two, in every stretch alike."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from foreframe.errors import UserError
from foreframe.sources import natural_imagenet
from tests.foreframe.sources import copies

CLASSES = natural_imagenet.CLASSES


def settings(**changes: Any) -> natural_imagenet.Settings:
    known: dict[str, Any] = {"kind": "natural_imagenet", "height": 8, "width": 8}
    known |= {"frame_interval": 1.0, "hole": 0, "peacock": "butterfly"}
    return natural_imagenet.Settings(**(known | changes))


def number(name: str, peacock: str = "butterfly") -> str:
    return {**natural_imagenet.WORDNET, "Peacock": natural_imagenet.PEACOCK[peacock]}[name]


def write(folder: Path, name: str, count: int) -> None:
    """Write pictures of a class, whose level is its number, white to their left and right."""
    level = 10 * CLASSES.index(name)
    for picture in range(count):
        copies.picture(folder / f"{picture}.png", level, 8, 14)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy as the author packed it, with one picture more of each class than of the last.

    There are 4 + 5 + ... + 23 pictures to train on, two of each class to test on.
    """
    for place, name in enumerate(CLASSES):
        write(tmp_path / "NaturalImageNetTrain" / name, name, 4 + place)
        write(tmp_path / "NaturalImageNetTest" / name.lower().replace(" ", "_"), name, 2)
    return tmp_path


def classes(folder: Path, **changes: Any) -> list[str]:
    """Return the class of every episode, having looked that it shows it."""
    stream = natural_imagenet.stream(settings(**changes), 0, folder, 1, 0)
    found = []
    for episode in stream.episodes:
        found.append(stream.labels["class"][episode.labels["class"]])
        (block,) = episode.blocks
        assert (block.frames[..., 0] == 10 * CLASSES.index(found[-1]) % 256).all()
    return found


def test_classes_are_those_of_the_document_in_the_order_of_its_matrices() -> None:
    assert len(CLASSES) == 20 and list(CLASSES) == sorted(CLASSES)
    assert CLASSES.index("King Penguin") + 1 == CLASSES.index("Kingfisher")
    numbers = [number(name, peacock) for name in CLASSES for peacock in natural_imagenet.PEACOCK]
    assert len(set(numbers)) == 21 and all(len(each) == 9 and each[0] == "n" for each in numbers)


def test_pictures_are_episodes_with_class_and_set(folder: Path) -> None:
    found = copies.check_suffixes(natural_imagenet, settings(), folder)
    assert [each.part for each in found] == ["train"] * 270 + ["test"] * 40
    assert found[-1].origin.startswith("NaturalImageNetTest/white_rhino/")
    counted = Counter(classes(folder))
    assert counted == {name: 6 + place for place, name in enumerate(CLASSES)}


def test_every_stretch_has_of_each_class_its_share(folder: Path) -> None:
    train = classes(folder)[:270]
    for share in (0.1, 0.25, 0.5):
        last = Counter(train[round((1 - share) * 270) :])
        for place, name in enumerate(CLASSES):
            assert abs(last[name] - share * (4 + place)) <= 1


def test_folders_may_be_called_by_the_numbers_of_wordnet(folder: Path) -> None:
    by_name = classes(folder)
    for place in ("NaturalImageNetTrain", "NaturalImageNetTest"):
        for path in list((folder / place).iterdir()):
            plain = path.name.lower().replace("_", " ")
            path.rename(path.with_name(number(next(n for n in CLASSES if n.lower() == plain))))
    (folder / "NaturalImageNetTrain").rename(folder / "train")
    (folder / "NaturalImageNetTest").rename(folder / "test")
    assert classes(folder) == by_name
    with pytest.raises(UserError, match=r"train Peacock \(n01806143\), .*Of no class n02279257"):
        classes(folder, peacock="bird")
    # The whole of ImageNet has both, and many others.
    for place in ("train", "test"):
        write(folder / place / "n01806143", "Peacock", 1)
        write(folder / place / "n01440764", "Lion", 1)
    assert classes(folder) == by_name
    assert Counter(classes(folder, peacock="bird"))["Peacock"] == 2


def test_the_peacock_is_a_bird_or_a_butterfly_where_its_folder_says_so(folder: Path) -> None:
    assert classes(folder, peacock="bird") == classes(folder)
    for place, name in (("NaturalImageNetTrain", "Peacock"), ("NaturalImageNetTest", "peacock")):
        (folder / place / name).rename(folder / place / "Peacock Butterfly")
    assert len(classes(folder)) == 310
    with pytest.raises(UserError, match=r"train Peacock \(n01806143\).*look at source\.peacock"):
        classes(folder, peacock="bird")
    assert natural_imagenet.DATASET.find(folder).missing == ()


def test_a_copy_without_sets_has_none(folder: Path) -> None:
    found = copies.collect(natural_imagenet, settings(), folder / "NaturalImageNetTrain")
    assert len(found) == 270 and {each.part for each in found} == {""}
    counts = natural_imagenet.DATASET.find(folder / "NaturalImageNetTrain").counts
    assert counts["all"] == 270 and counts["White Rhino"] == 23


def test_sets_and_classes_are_counted(folder: Path) -> None:
    found = natural_imagenet.DATASET.find(folder)
    assert found.counts == {"train": 270, "test": 40} | {
        name: 6 + place for place, name in enumerate(CLASSES)
    }
    assert found.missing == found.extra == ()
    assert list(natural_imagenet.DATASET.damage(folder)) == []
    path = folder / "NaturalImageNetTrain/Lion/0.png"
    path.write_bytes(path.read_bytes()[:-30])
    assert list(natural_imagenet.DATASET.damage(folder)) == [f"{path} is cut short"]
    with pytest.raises(UserError, match=r"Lion/0\.png is damaged or cut short"):
        classes(folder)


def test_what_is_missing_or_twice_there_is_named(folder: Path) -> None:
    test = folder / "NaturalImageNetTest"
    write(test / "Gorilla!", "Gorilla", 1)
    with pytest.raises(UserError, match=r"are both of the class Gorilla"):
        classes(folder)
    (test / "Gorilla!").rename(test / "ape")
    assert natural_imagenet.DATASET.find(folder).extra == ("ape",)
    for path in (test / "koala").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"koala has no pictures"):
        classes(folder)
    (test / "koala").rmdir()
    with pytest.raises(
        UserError, match=r"not complete: test Koala \(n01882714\) is missing\. Of no class ape is"
    ):
        classes(folder)
    test.rename(folder / "val")
    with pytest.raises(UserError, match="not complete: NaturalImageNetTest is missing"):
        classes(folder)
    with pytest.raises(UserError, match="none of NaturalImageNet's classes"):
        natural_imagenet.DATASET.find(test.with_name("val") / "lion")


def test_frames_are_square() -> None:
    with pytest.raises(ValueError, match="8 x 16, but those of natural_imagenet are square"):
        settings(width=16)
