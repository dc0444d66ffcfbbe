"""Faces in the order of their names, the sets of their authors, and what the table says of them."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from foreframe.errors import UserError
from foreframe.sources import celeba
from tests.foreframe.sources import copies

COUNT = 12
LAST = {"train": 7, "validation": 9, "test": COUNT}


def settings(**changes: Any) -> celeba.Settings:
    known: dict[str, Any] = {"kind": "celeba", "height": 8, "width": 8, "frame_interval": 1.0}
    return celeba.Settings(**(known | {"hole": 0, "sets": "authors"} | changes))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy whose picture n is of the level 10 n, with white above and below its square."""
    monkeypatch.setattr(celeba, "LAST", LAST)
    monkeypatch.setattr(celeba, "FIRST", 5)
    place = tmp_path / celeba.FOLDER
    place.mkdir()
    for number in range(1, COUNT + 1):
        picture = numpy.full((22, 18, 3), 255, numpy.uint8)
        picture[2:20] = 10 * number
        Image.fromarray(picture).save(place / f"{number:06}.png")
    return tmp_path


def table(folder: Path, lines: list[str]) -> None:
    text = "\n".join([str(COUNT), "Bald Smiling ", *lines])
    (folder / celeba.ATTRIBUTES).write_text(text + "\n")


def rows() -> list[str]:
    """Return lines of a table: every second is bald, every third smiles."""
    return [
        f"{n:06}.jpg {-1 if n % 2 else 1:2d} {-1 if n % 3 else 1:2d}" for n in range(1, COUNT + 1)
    ]


def test_the_published_sets_are_those_of_the_list() -> None:
    ends = list(celeba.LAST.values())
    sizes = [ends[0], ends[1] - ends[0], ends[2] - ends[1]]
    assert dict(zip(celeba.LAST, sizes, strict=True)) == celeba.DATASET.published
    assert sum(celeba.DATASET.published.values()) == 202_599


@pytest.mark.parametrize(
    ("sets", "parts"),
    [
        ("authors", ["train"] * 7 + ["validation"] * 2 + ["test"] * 3),
        ("first_20000", ["train"] * 5 + ["test"] * 7),
    ],
)
def test_pictures_are_episodes_in_order_whose_square_middle_is_kept(
    sets: str, parts: list[str], folder: Path
) -> None:
    found = copies.check_suffixes(celeba, settings(sets=sets), folder)
    assert [each.part for each in found] == parts
    for number, each in enumerate(found, start=1):
        assert each.origin == f"{number:06}.png"
        assert each.frames.shape == (1, 8, 8, 3) and (each.frames == 10 * number).all()


def test_the_thesis_tested_on_a_part_of_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celeba, "NEXT", 2)
    found = copies.collect(celeba, settings(sets="first_20000"), folder)
    assert [each.origin for each in found if each.part == "test"] == ["000006.png", "000007.png"]
    assert len(found) == 7


def test_with_a_hole_an_episode_is_its_task_and_its_answer(folder: Path) -> None:
    found = copies.collect(celeba, settings(hole=4), folder)
    assert copies.same(copies.collect(celeba, settings(hole=4), folder, workers=2), found)
    for each, whole in zip(found, copies.collect(celeba, settings(), folder), strict=True):
        assert numpy.array_equal(each.frames[1], whole.frames[0])
        assert not each.frames[0, 2:6, 2:6].any() and each.frames[0, :2].all()


def test_the_table_labels_every_face(folder: Path) -> None:
    plain = celeba.stream(settings(), 0, folder, 1, 0)
    assert plain.labels == {} and next(plain.episodes).labels == {}
    table(folder, rows())
    stream = celeba.stream(settings(), 0, folder, 1, 3)
    assert stream.labels == {"Bald": ("no", "yes"), "Smiling": ("no", "yes")}
    for number, episode in enumerate(stream.episodes, start=4):
        assert episode.labels == {"Bald": int(number % 2 == 0), "Smiling": int(number % 3 == 0)}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (rows()[:-1], "not have as many lines"),
        ([*rows()[:-1], "000012.jpg 1"], "is not understood"),
        ([*rows()[:-1], "000012.jpg 1 0"], "is not understood"),
        ([*rows()[:-1], "000013.jpg 1 1"], "no line for 000012.png"),
    ],
)
def test_a_damaged_table_is_refused(lines: list[str], said: str, folder: Path) -> None:
    table(folder, lines)
    with pytest.raises(UserError, match=said):
        celeba.stream(settings(), 0, folder, 1, 0)


def test_other_pictures_have_no_place_in_the_authors_sets(folder: Path) -> None:
    copies.picture(folder / celeba.FOLDER / "me.png", 7)
    with pytest.raises(UserError, match=r"me.png is not called as CelebA's.*first_20000"):
        celeba.stream(settings(), 0, folder, 1, 0)
    found = copies.collect(celeba, settings(sets="first_20000"), folder)
    assert found[-1].origin == "me.png"


def test_a_copy_that_is_not_complete_is_said_to_be_so(folder: Path) -> None:
    assert celeba.DATASET.find(folder).counts == {"train": 7, "validation": 2, "test": 3}
    (folder / celeba.FOLDER / "000008.png").unlink()
    found = celeba.DATASET.find(folder)
    assert found.counts["validation"] == 1 and found.missing == ("000008.jpg",)
    with pytest.raises(UserError, match=r"not complete: 000008.jpg is missing"):
        celeba.stream(settings(), 0, folder, 1, 0)
    path = folder / celeba.FOLDER / "000001.png"
    path.write_bytes(path.read_bytes()[:-4])
    assert [path.name in line for line in celeba.DATASET.damage(folder)] == [True]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no picture"):
        celeba.stream(settings(), 0, tmp_path, 1, 0)
