"""UCF101 is split by its lists, whose labels must agree with each other."""

from pathlib import Path

import pytest

from foreframe.errors import UserError
from foreframe.sources import ucf101
from tests.foreframe.sources import copies

SETTINGS = ucf101.Settings(
    kind="ucf101",
    height=16,
    width=16,
    frame_interval=0.04,
    fold=1,
    actions=None,
    download=False,
)
TRAIN = "Biking/v_Biking_g08_c01.avi 1\nHandstandPushups/v_HandStandPushups_g02_c01.avi 2\n"
TEST = "Biking/v_Biking_g01_c02.avi\nBiking/v_Biking_g01_c01.avi\n"


def lists(folder: Path, train: str = TRAIN, test: str = TEST) -> None:
    inside = folder / "ucfTrainTestlist"
    inside.mkdir(exist_ok=True)
    (inside / "classInd.txt").write_bytes(b"1 Biking\r\n2 HandstandPushups\r\n")
    for fold in (1, 2, 3):
        # In the other folds the two sets have changed places.
        (inside / f"trainlist{fold:02}.txt").write_text(train)
        (inside / f"testlist{fold:02}.txt").write_text(test if fold == 1 else test[:28])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(
        (
            "Biking/v_Biking_g01_c01",
            "Biking/v_Biking_g01_c02",
            "Biking/v_Biking_g08_c01",
            # As the archive has it, with other capitals than the list.
            "HandstandPushups/v_HandstandPushups_g02_c01",
        )
    ):
        copies.video(tmp_path / "UCF-101" / f"{name}.avi", count=number + 2, value=10 * number)
    lists(tmp_path)
    return tmp_path


def test_videos_are_episodes_of_their_fold(folder: Path) -> None:
    found = copies.check_suffixes(ucf101, SETTINGS, folder)
    assert [(episode.origin, episode.part, len(episode.frames)) for episode in found] == [
        ("Biking/v_Biking_g01_c01", "test", 2),
        ("Biking/v_Biking_g01_c02", "test", 3),
        ("Biking/v_Biking_g08_c01", "train", 4),
        ("HandstandPushups/v_HandStandPushups_g02_c01", "train", 5),
    ]
    assert copies.same(copies.collect(ucf101, SETTINGS, folder, workers=2), found)
    second = copies.collect(ucf101, SETTINGS.model_copy(update={"fold": 2}), folder)
    assert [episode.part for episode in second] == ["test", "train", "train"]
    assert ucf101.survey(folder, 2).extra == ("v_Biking_g01_c01.avi",)


def test_labels_are_numbered_as_the_authors_do(folder: Path) -> None:
    stream = ucf101.stream(SETTINGS, 0, folder, 1, 0)
    numbers = {name: number - 1 for name, number in ucf101._classes(folder).items()}
    assert {name: stream.labels["action"].index(name) for name in numbers} == numbers
    for episode in stream.episodes:
        assert episode.labels == {"action": numbers[episode.origin.partition("/")[0]]}
        list(episode.blocks)


def test_all_videos_may_lie_in_one_folder(folder: Path) -> None:
    found = copies.collect(ucf101, SETTINGS, folder)
    for path in list((folder / "UCF-101").glob("*/*.avi")):
        path.rename(folder / path.name)
    assert copies.same(copies.collect(ucf101, SETTINGS, folder), found)


def test_actions_can_be_chosen(folder: Path) -> None:
    some = SETTINGS.model_copy(update={"actions": ["HandstandPushups"]})
    assert len(copies.collect(ucf101, some, folder)) == 1
    none = SETTINGS.model_copy(update={"actions": ["Swimming"]})
    with pytest.raises(UserError, match=r"Swimming is unknown\. There are: Biking, Handstand"):
        copies.collect(ucf101, none, folder)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (TRAIN.replace("avi 1", "avi 2"), "labels of 'Biking/v_Biking_g08_c01.avi 2' do not match"),
        (TRAIN.replace("Biking/", "Surfing/"), "do not match"),
        (TRAIN.replace("v_Biking", "v_Surfing"), "do not match"),
        (TRAIN.replace("Biking/v", "../../v"), "is not understood"),
    ],
)
def test_labels_that_do_not_match_are_named(train: str, words: str, folder: Path) -> None:
    lists(folder, train)
    with pytest.raises(UserError, match=words):
        copies.collect(ucf101, SETTINGS, folder)


def test_missing_lists_and_videos_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "UCF-101/Biking/v_Biking_g01_c02.avi").unlink()
    with pytest.raises(UserError, match=r"v_Biking_g01_c02\.avi is missing"):
        copies.collect(ucf101, SETTINGS, folder)
    (folder / "ucfTrainTestlist/testlist01.txt").unlink()
    with pytest.raises(UserError, match=r"lacks testlist01\.txt"):
        copies.collect(ucf101, SETTINGS, folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no \.avi videos"):
        copies.collect(ucf101, SETTINGS, tmp_path / "empty")


def test_a_video_cut_short_is_found(folder: Path) -> None:
    path = folder / "UCF-101/Biking/v_Biking_g08_c01.avi"
    path.write_bytes(path.read_bytes()[:-40])
    assert list(ucf101.survey(folder).damage()) == [f"{path} is cut short"]
