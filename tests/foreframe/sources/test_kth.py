"""KTH is split by people as its authors or others did, and cut where its list says."""

from pathlib import Path

import numpy
import pytest
from PIL import Image

from foreframe.errors import UserError
from foreframe.sources import kth
from tests.foreframe.sources import copies

SETTINGS = kth.Settings(
    kind="kth",
    height=16,
    width=16,
    frame_interval=0.04,
    people="first_20",
    actions=["boxing"],
)
HEAD = """Training:   person11, 12, 13, 14, 15, 16, 17, 18

"""


def names(action: str) -> list[str]:
    return list(kth._names(action))


def make(folder: Path, frames: int = 6) -> Path:
    """Make a copy of one action whose frames begin with the number of the person."""
    (folder / "boxing").mkdir(parents=True)
    for person in range(1, 26):
        path = copies.video(folder / "person.avi", frames, value=10 * (person % 20))
        content = path.read_bytes()
        for scene in range(1, 5):
            (folder / f"boxing/person{person:02}_boxing_d{scene}_uncomp.avi").write_bytes(content)
    (folder / "person.avi").unlink()
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("kth"))


def listed(folder: Path, text: str) -> Path:
    lines = [f"{name}\t\tframes\t{text}" for name in names("boxing")]
    (folder / kth.LIST).write_text(HEAD + "\n".join(lines) + "\n")
    return folder


def test_the_splits_are_the_published_ones_and_share_nobody(tmp_path: Path) -> None:
    for action in kth.ACTIONS:
        (tmp_path / action).mkdir()
        for name in names(action):
            (tmp_path / action / f"{name}_uncomp.avi").touch()
    assert kth.survey(tmp_path).found().counts == kth.DATASET.published
    # The last tenth, which would be for validation, has all actions.
    last = kth.survey(tmp_path).recordings[-60:]
    assert {each.origin.partition("/")[0] for each in last} == set(kth.ACTIONS)
    assert sum(kth.DATASET.published.values()) == 599
    expected = {"first_20": {"train": 479, "test": 120}, "first_16": {"train": 383, "test": 216}}
    for people, counts in expected.items():
        assert kth.survey(tmp_path, people).found().counts == counts
    for sets in kth.PEOPLE_OF.values():
        everyone = [person for those in sets.values() for person in those]
        assert sorted(everyone) == list(kth.PEOPLE)


def test_recordings_are_episodes_in_order(made: Path) -> None:
    found = copies.check_suffixes(kth, SETTINGS, made)
    assert len(found) == 100
    assert found[4].origin == "boxing/person02_boxing_d1"
    assert [episode.part for episode in found] == ["train"] * 80 + ["test"] * 20
    for number, episode in enumerate(found):
        assert episode.frames[:, 0, 0, 0].tolist() == [
            10 * ((number // 4 + 1) % 20) + time for time in range(6)
        ]
    assert copies.same(copies.collect(kth, SETTINGS, made, workers=2), found)


def test_an_episode_is_labelled_with_its_action(made: Path) -> None:
    stream = kth.stream(SETTINGS, 0, made, 1, 0)
    first = next(stream.episodes)
    assert stream.labels["action"][first.labels["action"]] == "boxing"
    assert stream.labels["action"] == kth.ACTIONS


def test_the_list_cuts_recordings_into_parts(tmp_path: Path) -> None:
    folder = make(tmp_path, frames=12)
    whole = copies.collect(kth, SETTINGS, folder)
    # Parts may overlap, come in any order, and end after the recording.
    listed(folder, "1-3, 8-20, 2-7")
    found = copies.collect(kth, SETTINGS, folder)
    assert [episode.origin for episode in found[:4]] == [
        "boxing/person01_boxing_d1 1",
        "boxing/person01_boxing_d1 2",
        "boxing/person01_boxing_d1 3",
        "boxing/person01_boxing_d2 1",
    ]
    for number, episode in enumerate(found):
        frames = whole[number // 3].frames
        part = (frames[0:3], frames[7:], frames[1:7])[number % 3]
        assert numpy.array_equal(episode.frames, part)
    slow = SETTINGS.model_copy(update={"frame_interval": 0.12})
    for third, episode in zip(copies.collect(kth, slow, folder), found, strict=True):
        assert numpy.array_equal(third.frames, episode.frames[::3])


def test_every_frame_of_a_long_recording_is_kept(tmp_path: Path) -> None:
    folder = make(tmp_path, frames=60)
    # 25 frames a second, as its authors have it: at any other rate some would be left out or shown
    # twice, and a part would begin elsewhere.
    listed(folder, "31-60")
    first = copies.collect(kth, SETTINGS, folder)[0]
    assert first.frames[:, 0, 0, 0].tolist() == list(range(40, 70))
    slow = SETTINGS.model_copy(update={"frame_interval": 0.4})
    tenth = copies.collect(kth, slow, folder)[0]
    assert tenth.frames[:, 0, 0, 0].tolist() == [40, 50, 60]


def test_pictures_are_read_as_the_video_is(made: Path, tmp_path: Path) -> None:
    videos = copies.collect(kth, SETTINGS, made)
    for episode in videos:
        action, _, name = episode.origin.partition("/")
        for time, frame in enumerate(episode.frames):
            path = tmp_path / action / f"{name}_uncomp" / f"image-{time:03}_64x64.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame).save(path)
    assert copies.same(copies.collect(kth, SETTINGS, tmp_path), videos)


def test_what_is_missing_is_named(made: Path, tmp_path: Path) -> None:
    everything = SETTINGS.model_copy(update={"actions": None})
    with pytest.raises(UserError, match=r"person01_handclapping_d1_uncomp.avi.* and 489 more are"):
        copies.collect(kth, everything, made)
    (tmp_path / "boxing").mkdir()
    with pytest.raises(UserError, match="no recording of KTH"):
        copies.collect(kth, SETTINGS, tmp_path)


def test_lists_that_do_not_match_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path, frames=3)
    listed(folder, "5-9")
    with pytest.raises(UserError, match="has no frame 5, but boxing/person01_boxing_d1 1 begins"):
        copies.collect(kth, SETTINGS, folder)
    for text, words in (
        ("1-3, x", "is not understood"),
        ("3-1", "an empty part"),
        ("0-2", "an em"),
    ):
        listed(folder, text)
        with pytest.raises(UserError, match=words):
            copies.collect(kth, SETTINGS, folder)
    (folder / kth.LIST).write_text(HEAD + "person01_boxing_d1\tframes\t1-3\n")
    with pytest.raises(UserError, match="no line for person01_boxing_d2"):
        copies.collect(kth, SETTINGS, folder)
    (folder / "person01_boxing_d1_uncomp.avi").touch()
    with pytest.raises(UserError, match="are the same recording"):
        copies.collect(kth, SETTINGS, folder)


def test_recordings_cut_short_are_found(made: Path, tmp_path: Path) -> None:
    (tmp_path / "boxing").mkdir()
    for path in (made / "boxing").iterdir():
        content = path.read_bytes()
        keep = len(content) // 2 if "person03_boxing_d2" in path.name else len(content)
        (tmp_path / "boxing" / path.name).write_bytes(content[:keep])
    survey = kth.survey(tmp_path, actions=["boxing"])
    assert [line.rpartition("/")[2] for line in survey.damage()] == [
        "person03_boxing_d2_uncomp.avi is cut short"
    ]
    with pytest.raises(UserError, match="person03_boxing_d2"):
        copies.collect(kth, SETTINGS, tmp_path)


def test_what_does_not_belong_is_named(made: Path, tmp_path: Path) -> None:
    (tmp_path / "boxing").symlink_to(made / "boxing")
    (tmp_path / "person26_boxing_d1_uncomp.avi").touch()
    assert kth.survey(tmp_path, actions=["boxing"]).extra == ("person26_boxing_d1_uncomp.avi",)
