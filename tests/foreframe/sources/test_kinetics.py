"""Clips of Kinetics are those of its lists; a clip belongs to one list and one action."""

from pathlib import Path

import pytest

from foreframe.errors import UserError
from foreframe.sources import kinetics
from tests.foreframe.sources import copies

SETTINGS = kinetics.Settings(
    kind="kinetics", height=16, width=16, frame_interval=0.04, actions=None, missing="refuse"
)
HEAD = "label,youtube_id,time_start,time_end,split\n"
ROWS = {
    "train": ["riding a bike,-0_aBcDeFgH,10,20,train", "abseiling,abcdefghijk,0,10,train"],
    "validate": ["abseiling,ABCDEFGHIJK,7,17,val"],
    "test": ['"tying knot (not on a tie)",ZZZZZZZZZZZ,120,130,test'],
}
CLIPS = (
    "train/riding_a_bike/-0_aBcDeFgH_000010_000020.mp4",
    "train/abseiling/abcdefghijk_000000_000010.mp4",
    "val/ABCDEFGHIJK_000007_000017.mp4",
    "test/tying_knot_not_on_a_tie/ZZZZZZZZZZZ_000120_000130.mp4",
)


def lists(folder: Path, rows: dict[str, list[str]] = ROWS) -> None:
    for name, lines in rows.items():
        (folder / f"{name}.csv").write_text(HEAD + "\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(CLIPS):
        copies.video(tmp_path / name, count=number + 2)
    lists(tmp_path)
    return tmp_path


def test_clips_are_episodes_of_their_list(folder: Path) -> None:
    found = copies.check_suffixes(kinetics, SETTINGS, folder)
    assert [(episode.origin, episode.part, len(episode.frames)) for episode in found] == [
        ("abseiling/ABCDEFGHIJK_000007_000017", "validation", 4),
        ("abseiling/abcdefghijk_000000_000010", "train", 3),
        ("riding a bike/-0_aBcDeFgH_000010_000020", "train", 2),
        ("tying knot (not on a tie)/ZZZZZZZZZZZ_000120_000130", "test", 5),
    ]
    assert copies.same(copies.collect(kinetics, SETTINGS, folder, workers=2), found)
    some = SETTINGS.model_copy(update={"actions": ["abseiling"]})
    assert [len(episode.frames) for episode in copies.collect(kinetics, some, folder)] == [4, 3]


def test_a_copy_that_lacks_a_class_keeps_the_numbers_of_the_others(folder: Path) -> None:
    whole = labelled(folder)
    assert whole["riding a bike/-0_aBcDeFgH_000010_000020"] == 1
    next(folder.rglob("abcdefghijk_*")).unlink()
    next(folder.rglob("ABCDEFGHIJK_*")).unlink()
    fewer = labelled(folder)
    assert len(fewer) == len(whole) - 2
    assert fewer.items() <= whole.items()


def labelled(folder: Path) -> dict[str, int]:
    """Return the labels of all clips that are there, by origin."""
    settings = SETTINGS.model_copy(update={"missing": "skip"})
    found = {}
    for episode in kinetics.stream(settings, 0, folder, 1, 0).episodes:
        list(episode.blocks)
        found[episode.origin] = episode.labels["action"]
    return found


def test_missing_clips_are_refused_or_left_out(folder: Path) -> None:
    (folder / CLIPS[1]).unlink()
    with pytest.raises(UserError, match=r"abcdefghijk_000000_000010\.mp4 is missing"):
        copies.collect(kinetics, SETTINGS, folder)
    skipping = SETTINGS.model_copy(update={"missing": "skip"})
    assert len(copies.collect(kinetics, skipping, folder)) == 3
    assert kinetics.survey(folder).missing == ("abcdefghijk_000000_000010.mp4",)


def test_a_clip_in_the_folder_of_another_action_is_named(folder: Path) -> None:
    (folder / CLIPS[1]).rename(folder / "train/riding_a_bike" / Path(CLIPS[1]).name)
    with pytest.raises(UserError, match="in the folder of riding_a_bike, but the list says absei"):
        copies.collect(kinetics, SETTINGS, folder)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("abseiling,../../secret,0,10,train", r"line 2: '\.\./\.\./secret'"),
        ("abseiling,abcdefghijk,zero,10,train", "is no clip"),
        ("abseiling,abcdefghijk,inf,10,train", "is no clip"),
        ("../x,abcdefghijk,0,10,train", r"'\.\./x' is no action"),
        ("abseiling,ABCDEFGHIJK,7,17,train", r"which is in train\.csv too"),
        ("abseiling", "is no clip"),
    ],
)
def test_rows_that_cannot_be_are_named(row: str, words: str, folder: Path) -> None:
    lists(folder, {**ROWS, "train": [row]})
    with pytest.raises(UserError, match=words):
        copies.collect(kinetics, SETTINGS, folder)


def test_missing_lists_and_columns_are_named(folder: Path) -> None:
    (folder / "train.csv").write_text("youtube_id,label\nx,y\n")
    with pytest.raises(UserError, match="lacks the columns time_end, time_start"):
        copies.collect(kinetics, SETTINGS, folder)
    (folder / "train.csv").write_bytes(HEAD.encode() + b"\xff\xfe\n")
    with pytest.raises(UserError, match=r"train\.csv, line \d, cannot be read"):
        copies.collect(kinetics, SETTINGS, folder)
    for path in folder.glob("*.csv"):
        path.unlink()
    with pytest.raises(UserError, match=r"has no list \(train\.csv, validate\.csv"):
        copies.collect(kinetics, SETTINGS, folder)


def test_lists_without_actions_are_read(folder: Path) -> None:
    (folder / "test.csv").write_text("youtube_id,time_start,time_end\nZZZZZZZZZZZ,120,130\n")
    assert kinetics.stream(SETTINGS, 0, folder, 1, 0).labels == {}
    origins = [episode.origin for episode in copies.collect(kinetics, SETTINGS, folder)]
    assert "test/ZZZZZZZZZZZ_000120_000130" in origins
