"""Snippets of Cityscapes are 30 frames that follow each other, in sets of the authors or drawn."""

from collections import Counter
from pathlib import Path

import numpy
import pytest
from PIL import Image

from foreframe.errors import UserError
from foreframe.sources import cityscapes
from foreframe.sources.recordings import Recording
from tests.foreframe.sources import copies

SETTINGS = cityscapes.Settings(
    kind="cityscapes", height=8, width=8, frame_interval=1 / 17, sets="authors"
)
DRAWN = SETTINGS.model_copy(update={"sets": "training_cities"})
# City, drive and first frame of each snippet; of one drive two follow each other at once.
SNIPPETS = {
    "train": [("aachen", 0, 0), ("aachen", 1, 0), ("bochum", 0, 313), ("bochum", 0, 343)],
    "val": [("frankfurt", 0, 275), ("frankfurt", 0, 557)],
    "test": [("berlin", 0, 0)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, snippets in SNIPPETS.items():
        for city, drive, start in snippets:
            for frame in range(start, start + 30):
                name = f"{city}_{drive:06}_{frame:06}_leftImg8bit.png"
                path = tmp_path / "leftImg8bit_sequence" / part / city / name
                copies.picture(path, frame, height=8, width=16)
    return tmp_path


def check_frames(found: list[copies.Collected]) -> None:
    """Check that episodes hold the frames that their names say."""
    for episode in found:
        start = int(episode.origin[-6:])
        expected = [frame % 256 for frame in range(start, start + 30)]
        assert episode.frames[:, 0, 0, 0].tolist() == expected


def test_snippets_are_episodes_of_their_set(folder: Path) -> None:
    found = copies.check_suffixes(cityscapes, SETTINGS, folder)
    assert [(episode.part, episode.origin) for episode in found] == [
        ("train", "aachen/aachen_000000_000000"),
        ("train", "aachen/aachen_000001_000000"),
        ("train", "bochum/bochum_000000_000313"),
        ("train", "bochum/bochum_000000_000343"),
        ("validation", "frankfurt/frankfurt_000000_000275"),
        ("validation", "frankfurt/frankfurt_000000_000557"),
        ("test", "berlin/berlin_000000_000000"),
    ]
    check_frames(found)
    assert copies.same(copies.collect(cityscapes, SETTINGS, folder, workers=2), found)
    assert cityscapes.survey(folder).found().counts == {"train": 4, "validation": 2, "test": 1}


def test_drives_of_one_snippet_train_and_256_of_the_others_are_drawn_to_test() -> None:
    short = [Recording(f"a/a_{number:06}_000019", "train", Path("a")) for number in range(1877)]
    long = [Recording(f"b/b_000000_{number:06}", "train", Path("b")) for number in range(1098)]
    whole = [*long[:500], *short, *long[500:]]
    found = cityscapes.drawn(whole, 0)
    assert [each.origin for each in found] == [each.origin for each in whole]
    parts = Counter((each.origin[0], each.part) for each in found)
    assert parts == {("a", "train"): 1877, ("b", "test"): 256, ("b", "validation"): 842}
    # Of 256 that another seed draws about 256 * 256 / 1098 are the same.
    tested, others = (
        {each.origin for each in cityscapes.drawn(whole, seed) if each.part == "test"}
        for seed in (0, 1)
    )
    assert len(tested & others) < 90


def test_drawn_sets_have_whole_snippets_and_read_no_other_city(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cityscapes, "TESTED", 1)
    city = folder / "leftImg8bit_sequence/val/frankfurt"
    (city / "frankfurt_000000_000290_leftImg8bit.png").unlink()
    found = copies.check_suffixes(cityscapes, DRAWN, folder)
    parts = [episode.part for episode in found]
    assert parts[:2] == ["train", "train"] and {*parts[2:]} == {"test", "validation"}
    authors = {f"{city}/{city}_{drive:06}_{start:06}" for city, drive, start in SNIPPETS["train"]}
    assert {episode.origin for episode in found} == authors
    check_frames(found)


def test_too_few_snippets_to_draw_from_are_refused(folder: Path) -> None:
    with pytest.raises(
        UserError, match=r"draws 256 .* the training cities have 2 and 2\. Choose authors"
    ):
        copies.collect(cityscapes, DRAWN, folder)


def test_the_middle_is_kept(folder: Path) -> None:
    """A square frame of a picture twice as wide has neither of its outer quarters."""
    path = next((folder / "leftImg8bit_sequence/train/aachen").iterdir())
    picture_HW3 = numpy.zeros((8, 16, 3), numpy.uint8)
    picture_HW3[:, 4:12] = 200
    Image.fromarray(picture_HW3).save(path)
    found = copies.collect(cityscapes, SETTINGS, folder)
    frames = [frame for episode in found for frame in episode.frames]
    assert any((frame == 200).all() for frame in frames)


def test_a_longer_interval_takes_every_second_frame(folder: Path) -> None:
    whole = copies.collect(cityscapes, SETTINGS, folder)
    slow = SETTINGS.model_copy(update={"frame_interval": 2 / 17})
    for half, episode in zip(copies.collect(cityscapes, slow, folder), whole, strict=True):
        assert numpy.array_equal(half.frames, episode.frames[::2])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aachen/aachen_000000_000012", r"aachen_000000_000000 \(12 of 30 frames\)"),
        ("bochum/bochum_000000_000372", r"bochum_000000_000343 \(29 of 30 frames\) is missing"),
    ],
)
def test_a_snippet_that_lacks_a_frame_is_named(name: str, words: str, folder: Path) -> None:
    (folder / f"leftImg8bit_sequence/train/{name}_leftImg8bit.png").unlink()
    with pytest.raises(UserError, match=words):
        copies.collect(cityscapes, SETTINGS, folder)


def test_damage_and_empty_copies(folder: Path, tmp_path: Path) -> None:
    path = folder / "leftImg8bit_sequence/val/frankfurt/frankfurt_000000_000290_leftImg8bit.png"
    path.write_bytes(path.read_bytes()[:-20])
    assert list(cityscapes.survey(folder).damage()) == [f"{path} is cut short"]
    with pytest.raises(UserError, match=r"000290_leftImg8bit\.png is damaged or cut short"):
        copies.collect(cityscapes, SETTINGS, folder)
    with pytest.raises(UserError, match="no folder leftImg8bit_sequence/train"):
        copies.collect(cityscapes, SETTINGS, tmp_path / "leftImg8bit_sequence/val")
    (tmp_path / "other/leftImg8bit_sequence/train").mkdir(parents=True)
    with pytest.raises(UserError, match="has no pictures"):
        copies.collect(cityscapes, SETTINGS, tmp_path / "other")
