"""CATER: videos go by the authors' lists, whole and with the cell of the snitch."""

from pathlib import Path

import numpy
import pytest

from foreframe.data import labels
from foreframe.errors import UserError
from foreframe.sources import cater
from tests.foreframe.sources import copies, making

SETTINGS = cater.Settings(kind="cater", height=16, width=16, frame_interval=0.04)
TRAIN = "CLEVR_new_000003.avi 17\nCLEVR_new_000001.avi 0\n"
TEST = "CLEVR_new_000002.avi 35\n"


def lists(folder: Path, train: str = TRAIN, test: str = TEST) -> None:
    inside = folder / "lists/localize"
    inside.mkdir(parents=True, exist_ok=True)
    (inside / "train.txt").write_text(train)
    (inside / "val.txt").write_text(test)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "all_actions"
    for number in (1, 2, 3):
        copies.video(root / f"videos/CLEVR_new_{number:06}.avi", count=number + 1, value=number)
    lists(root)
    return tmp_path


def test_videos_have_their_sets_and_cells(folder: Path) -> None:
    found = copies.check_suffixes(cater, SETTINGS, folder)
    assert [(each.origin, each.part, len(each.frames)) for each in found] == [
        ("CLEVR_new_000001", "train", 2),
        ("CLEVR_new_000002", "test", 3),
        ("CLEVR_new_000003", "train", 4),
    ]
    assert copies.same(copies.collect(cater, SETTINGS, folder, workers=2), found)
    stream = cater.stream(SETTINGS, 0, folder, 1, 0)
    cells = []
    for episode in stream.episodes:
        list(episode.blocks)
        labels.check(episode.labels, stream.labels, episode.origin)
        cells.append(stream.labels["cell"][episode.labels["cell"]])
    assert cells == ["row 1 column 1", "row 6 column 6", "row 3 column 6"]
    # A copy without the outer folder is the same.
    assert copies.same(copies.collect(cater, SETTINGS, folder / "all_actions"), found)


def test_both_sides_of_a_video_are_kept(folder: Path) -> None:
    path = folder / "all_actions/videos/CLEVR_new_000001.avi"
    frames = numpy.zeros((2, 240, 320, 3), numpy.uint8)
    frames[:, :, :20], frames[:, :, -20:] = (255, 0, 0), (0, 0, 255)
    making.write(path, frames, 25, "ffv1", "bgr0")
    found = copies.collect(cater, SETTINGS, folder)[0].frames
    assert (found[:, :, 0] == (255, 0, 0)).all()
    assert (found[:, :, -1] == (0, 0, 255)).all()
    assert not found[:, :, 1:-1].any()


def test_what_is_missing_or_not_listed_is_named(folder: Path) -> None:
    root = folder / "all_actions"
    copies.video(root / "videos/CLEVR_new_000009.avi")
    assert cater.survey(folder).extra == ("CLEVR_new_000009.avi",)
    (root / "videos/CLEVR_new_000003.avi").unlink()
    assert cater.DATASET.find(folder).counts == {"train": 1, "test": 1}
    assert cater.DATASET.find(folder).missing == ("CLEVR_new_000003.avi",)
    with pytest.raises(UserError, match=r"not complete: CLEVR_new_000003\.avi is missing"):
        copies.collect(cater, SETTINGS, folder)
    path = root / "videos/CLEVR_new_000001.avi"
    path.write_bytes(path.read_bytes()[:-100])
    assert [str(path) in line for line in cater.DATASET.damage(folder)] == [True]


def test_lists_that_are_not_understood_are_refused(folder: Path, tmp_path: Path) -> None:
    root = folder / "all_actions"
    for line in ("CLEVR_new_000002.avi 36", "CLEVR_new_000002.avi 3,4", "CLEVR_new_000002 3"):
        lists(root, test=f"{line}\n")
        with pytest.raises(UserError, match=rf"{line}' is not understood"):
            cater.survey(folder)
    lists(root, test=TRAIN)
    with pytest.raises(UserError, match=r"CLEVR_new_000003\.avi, which is listed already"):
        cater.survey(folder)
    (root / "lists/localize/val.txt").unlink()
    with pytest.raises(UserError, match=r"val\.txt is missing"):
        cater.survey(folder)
    with pytest.raises(UserError, match=r"has no folder lists\. Unpack"):
        cater.survey(root / "videos")
    lists(tmp_path / "empty")
    with pytest.raises(UserError, match="has none of the 3 videos that its lists name"):
        cater.survey(tmp_path / "empty")
