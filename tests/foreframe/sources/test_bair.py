"""BAIR is read alike from its own files and from conversions; damage and other files are named."""

import struct
from pathlib import Path

import h5py
import numpy
import pytest
from PIL import Image

from foreframe.errors import UserError
from foreframe.sources import bair
from tests.foreframe.sources import copies

SETTINGS = bair.Settings(
    kind="bair", height=64, width=64, frame_interval=0.1, camera="aux1", download=False
)
FILES = {"train": ("traj_0_to_1", "traj_2_to_3"), "test": ("traj_10_to_11",)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy with four trajectories to train on and two to test on."""
    seed = 0
    for part, names in FILES.items():
        for name in names:
            contents = [copies.example(copies.trajectory(seed + n)) for n in range(2)]
            copies.records(tmp_path / "softmotion30_44k" / part / f"{name}.tfrecords", contents)
            seed += 2
    return tmp_path


def test_records_become_episodes_with_actions_and_states(folder: Path) -> None:
    found = copies.check_suffixes(bair, SETTINGS, folder)
    assert [episode.part for episode in found] == ["train"] * 4 + ["test"] * 2
    assert [episode.origin for episode in found][::3] == [
        "train/traj_0_to_1 1",
        "train/traj_2_to_3 2",
    ]
    for seed, episode in enumerate(found):
        features = copies.trajectory(seed)
        for time in range(30):
            assert episode.frames[time].tobytes() == features[f"{time}/image_aux1/encoded"]
            assert episode.actions[time].tolist() == features[f"{time}/action"]
            assert episode.states[time].tolist() == features[f"{time}/endeffector_pos"]
    assert copies.same(copies.collect(bair, SETTINGS, folder, workers=2), found)


def test_the_other_camera_and_another_size(folder: Path) -> None:
    other = SETTINGS.model_copy(update={"camera": "main", "height": 32, "width": 32})
    features = copies.trajectory(0)
    frame = numpy.frombuffer(features["0/image_main/encoded"], numpy.uint8)  # type: ignore[arg-type]
    mean = frame.reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert numpy.abs(copies.collect(bair, other, folder)[0].frames[0] - mean).max() <= 1


def convert_to_pictures(found: list[copies.Collected], folder: Path) -> None:
    for episode in found:
        group, _, number = episode.origin.partition(" ")
        part, _, name = group.partition("/")
        inside = folder / "processed_data" / part / name / str(int(number) - 1)
        inside.mkdir(parents=True)
        for time, frame in enumerate(episode.frames):
            Image.fromarray(frame).save(inside / f"{time}.png")


def convert_to_hdf5(found: list[copies.Collected], path: Path) -> None:
    with h5py.File(path, "w") as file:
        for part in ("train", "test"):
            chosen = [episode.frames for episode in found if episode.part == part]
            file[f"{part}_data"] = numpy.concatenate(chosen)
            file[f"{part}_idx"] = numpy.arange(len(chosen)) * 30


def test_conversions_give_the_same_frames(folder: Path, tmp_path: Path) -> None:
    found = copies.collect(bair, SETTINGS, folder)
    convert_to_pictures(found, tmp_path / "pictures")
    (tmp_path / "file").mkdir()
    convert_to_hdf5(found, tmp_path / "file" / "bair.hdf5")
    for name in ("pictures", "file"):
        converted = copies.check_suffixes(bair, SETTINGS, tmp_path / name)
        assert {(episode.part, episode.frames.tobytes()) for episode in converted} == {
            (episode.part, episode.frames.tobytes()) for episode in found
        }
        assert bair.find(tmp_path / name).counts == {"train": 4, "test": 2}
        assert list(bair.damage(tmp_path / name)) == []
        with pytest.raises(UserError, match="converted copies hold one camera"):
            main = SETTINGS.model_copy(update={"camera": "main"})
            copies.collect(bair, main, tmp_path / name)


def test_unfinished_conversions_are_refused(folder: Path, tmp_path: Path) -> None:
    found = copies.collect(bair, SETTINGS, folder)
    convert_to_pictures(found, tmp_path / "pictures")
    next((tmp_path / "pictures").rglob("29.png")).unlink()
    with pytest.raises(UserError, match=r"\(29 of 30 frames\) is missing"):
        copies.collect(bair, SETTINGS, tmp_path / "pictures")
    (tmp_path / "file").mkdir()
    convert_to_hdf5(found, tmp_path / "file" / "bair.hdf5")
    with h5py.File(tmp_path / "file" / "bair.hdf5", "a") as file:
        file["train_idx"][1] = 29
    with pytest.raises(UserError, match=r"bair\.hdf5: train_idx does not begin a trajectory"):
        copies.collect(bair, SETTINGS, tmp_path / "file")


def test_a_wrong_checksum_stops_collecting_and_checking(folder: Path) -> None:
    path = folder / "softmotion30_44k/train/traj_2_to_3.tfrecords"
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 16
    path.write_bytes(content)
    assert bair.find(folder).missing == ()
    assert ["record 2: its checksum" in line for line in bair.damage(folder)] == [True]
    with pytest.raises(UserError, match=r"traj_2_to_3\.tfrecords is damaged: record 2: its check"):
        copies.collect(bair, SETTINGS, folder)
    # Nothing of the episodes before is read again.
    with pytest.raises(UserError, match="record 2"):
        copies.collect(bair, SETTINGS, folder, first=3)
    assert len(copies.collect(bair, SETTINGS, folder, first=4)) == 2


def test_a_file_that_lacks_records_is_missing_some(folder: Path) -> None:
    path = folder / "softmotion30_44k/test/traj_10_to_11.tfrecords"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert bair.find(folder).counts == {"train": 4, "test": 1}
    assert bair.find(folder).missing == ("test/traj_10_to_11.tfrecords (1 of 2 records)",)


def test_other_files_are_named(folder: Path, tmp_path: Path) -> None:
    features = {**copies.trajectory(0), "7/action": [1.0, 2.0, 3.0]}
    path = folder / "softmotion30_44k/train/traj_0_to_1.tfrecords"
    copies.records(path, [copies.example(features)])
    with pytest.raises(UserError, match="record 1: 7/action is not 4 numbers"):
        copies.collect(bair, SETTINGS, folder)
    features = {**copies.trajectory(0), "7/action": [1.0, 2.0, 3.0, float("nan")]}
    copies.records(path, [copies.example(features)])
    with pytest.raises(UserError, match="record 1: 7/action is not 4 numbers"):
        copies.collect(bair, SETTINGS, folder)
    copies.records(path, [copies.example({"0/image_aux1/encoded": b"jpeg"})])
    with pytest.raises(UserError, match="record 1: 0/image_aux1/encoded is not 64 x 64 pixels"):
        copies.collect(bair, SETTINGS, folder)


def test_an_empty_copy_is_told_of_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing of BAIR.*processed_data/train.*hdf5"):
        copies.collect(bair, SETTINGS, tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        copies.collect(bair, SETTINGS, tmp_path / "nowhere")
    (tmp_path / "train").mkdir()
    (tmp_path / "train/traj_0_to_1.tfrecords").write_bytes(struct.pack("<Q", 3))
    with pytest.raises(UserError, match="record 1: the file ends inside it"):
        copies.collect(bair, SETTINGS, tmp_path)
