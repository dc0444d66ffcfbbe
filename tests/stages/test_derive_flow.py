"""The stage derive_flow: a file of flow has the episodes of the frames, and is read as they are."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe.artefacts import facts, hdf5
from foreframe.config.split import Split
from foreframe.data import flow, labels, writing
from foreframe.errors import UserError
from foreframe.sources import Block, Episode
from stages import derive_flow, measure_colours, split, train_classifier
from tests.foreframe.classifiers import small
from tests.foreframe.data.test_flow import settings
from tests.foreframe.training.games import adam, phase, plan
from tests.stages import dynamics_study
from tests.stages.evaluation_study import COMPUTE


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("flow")
    frames, out = folder / "frames.h5", folder / "flow.h5"
    dynamics_study.write(frames)
    derive_flow.main(frames=frames, flow=settings(), out=out)
    return frames, out


def test_episodes_sets_labels_and_states_are_those_of_the_frames(files: tuple[Path, Path]) -> None:
    with hdf5.opening(files[0], "frames") as frames, hdf5.opening(files[1], "frames") as out:
        assert out["episode_length"][:].tolist() == (frames["episode_length"][:] - 1).tolist()
        for name in ("episode_origin", "episode_part"):
            assert out[name].asstr()[:].tolist() == frames[name].asstr()[:].tolist()
        assert labels.classes(out) == labels.classes(frames)
        for name in labels.classes(frames):
            known = frames[f"{labels.GROUP}/{name}"][:]
            assert numpy.array_equal(out[f"{labels.GROUP}/{name}"][:], known)
        assert out.attrs["source"] == "flow of dynamics"
        for name in ("frame_interval", "action_names", "state_names"):
            assert out.attrs[name] == frames.attrs[name]
        whole = frames["states"][:].reshape(30, dynamics_study.FRAMES, -1)
        assert numpy.array_equal(out["states"][:], whole[:, :-1].reshape(len(out["frames"]), -1))


def test_flow_is_that_of_each_episode_by_itself(files: tuple[Path, Path]) -> None:
    with hdf5.opening(files[0], "frames") as frames, hdf5.opening(files[1], "frames") as out:
        for number in (0, 7, 29):
            start, length = 8 * number, 8
            wanted = flow.of(frames["frames"][start : start + length], settings())
            assert numpy.array_equal(out["frames"][7 * number : 7 * number + 7], wanted)


def test_the_control_has_half_as_many_frames_twice_as_far_apart(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    derive_flow.main(frames=files[0], flow=settings(pairs="legacy"), out=tmp_path / "flow.h5")
    with hdf5.opening(tmp_path / "flow.h5", "frames") as out:
        assert out["episode_length"][:].tolist() == 30 * [4]
        assert out.attrs["frame_interval"] == pytest.approx(0.2)


def test_equal_frames_give_equal_bytes(files: tuple[Path, Path], tmp_path: Path) -> None:
    derive_flow.main(frames=files[0], flow=settings(), out=tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == files[1].read_bytes()


def test_a_classifier_learns_from_flow(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where checkpoints lie
    out = files[1]
    shares = Split(by="official", train=0.8, validation=0.1, test=0.1)
    split.main(frames=out, split=shares, out=tmp_path / "split.json")
    known: dict[str, Any] = {"frames": out, "split": tmp_path / "split.json"}
    measure_colours.main(**known, out=tmp_path / "colours.json")
    mean = facts.read(tmp_path / "colours.json", "normalization")["mean"]
    assert mean[:2] == pytest.approx([128 / 255] * 2, abs=0.02) and mean[2] == 0
    training = plan(
        phases=(phase(steps=60, batch_size=16),),
        players={"model": adam(learning_rate=0.01)},
        log_every=5,
    )
    classifier = small.settings(
        "stream",
        sees="flow",
        stacked=5,
        label="class",
        view=small.view(frames=7, channels="colour", scaling="centred"),
        training=training,
    )
    train_classifier.main(
        **known,
        normalization=tmp_path / "colours.json",
        classifier=classifier,
        seed=0,
        compute=COMPUTE,
        model=tmp_path / "model.safetensors",
        record=tmp_path / "record.json",
    )
    record = facts.read(tmp_path / "record.json", "training")
    assert record["classes"][9] == "rotation"
    assert record["curve"][-1]["loss"] < 0.9 * record["curve"][0]["loss"]


@pytest.mark.parametrize("lengths", [(1, 1), (4, 1)])
def test_a_single_frame_is_refused(lengths: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    with writing.creating(path, writing.Layout(8, 8, 0.1, "test", (), (), {}, 4)) as writer:
        for number, length in enumerate(lengths):
            block = Block(
                numpy.zeros((length, 8, 8, 3), numpy.uint8),
                *2 * [numpy.zeros((length, 0), numpy.float32)],
            )
            list(writer.add(Episode(f"tape {number}", 2, iter([block]))))
    with pytest.raises(UserError, match=r"episode tape \d of .* has a single frame, and so no"):
        derive_flow.main(frames=path, flow=settings(), out=tmp_path / "flow.h5")
    assert not (tmp_path / "flow.h5").exists()
