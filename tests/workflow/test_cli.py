"""The command `foreframe`: it works on a trained study, and says plainly what is wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy
import pytest

from foreframe.artefacts import hdf5
from foreframe.data import video
from tests import smoke
from tests.workflow import tiny

FRAMES = 16


@pytest.fixture(scope="module")
def own(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of the user's own: some of the study's frames, larger and at another rate."""
    with hdf5.opening(by_dvc.folder / "data/driving/frames.h5", "frames") as file:
        frames = file["frames"][:FRAMES].repeat(2, axis=0)
    path = tmp_path_factory.mktemp("own") / "drive.mp4"
    video.write(path, video.enlarge(frames, 96), 0.05)
    return path


def decode(path: Path) -> numpy.ndarray:
    with av.open(str(path)) as container:
        pictures = container.decode(video=0)
        return numpy.stack([picture.to_ndarray(format="rgb24") for picture in pictures])


def predict(clone: smoke.Clone, *arguments: str) -> tuple[int, str]:
    run = smoke.foreframe(clone.folder, "predict", *arguments)
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize(("more", "count"), [((), 8), (("--frames", "20"), 20)])
def test_predict_continues_a_video(
    more: tuple[str, ...], count: int, by_dvc: smoke.Clone, own: Path, tmp_path: Path
) -> None:
    code, text = predict(by_dvc, str(own), "--out", str(tmp_path / "future.mp4"), *more)
    assert (code, text.strip().endswith(f"then {count} predicted ones.")) == (0, True), text
    shown = decode(tmp_path / "future.mp4")
    assert shown.shape == (8 + count, 256, 256, 3)
    # The context is the video's end; what follows is of the same size and goes on from it.
    given = decode(own)[-1].mean(axis=(0, 1))
    assert numpy.abs(shown[7].mean(axis=(0, 1)) - given).max() < 10


def test_predict_is_a_function_of_the_seed(by_dvc: smoke.Clone, own: Path, tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        path = tmp_path / f"{name}.mp4"
        arguments = ("--choice", "sampled", "--seed", seed)
        assert predict(by_dvc, str(own), "--out", str(path), *arguments)[0] == 0
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    ("video_name", "out", "more", "message"),
    [
        ("no.mp4", "f.mp4", (), "no.mp4 does not exist"),
        ("README.md", "f.mp4", (), "cannot be read as a video"),
        ("OWN", "f.txt", (), "one of the endings .mp4, .webm, .gif"),
        ("OWN", "f.mp4", ("--choice", "best"), "sampling has: argmax, sampled, averaged."),
        ("OWN", "f.mp4", ("--frames", "0"), "Predict at least 1"),
        ("SHORT", "f.mp4", (), "the study needs 8"),
    ],
)
def test_predict_names_a_mistake(
    video_name: str,
    out: str,
    more: tuple[str, ...],
    message: str,
    by_dvc: smoke.Clone,
    own: Path,
    tmp_path: Path,
) -> None:
    short = tmp_path / "short.mp4"
    video.write(short, decode(own)[:4], 0.05)
    path = {"OWN": own, "SHORT": short}.get(video_name, Path(video_name))
    code, text = predict(by_dvc, str(path), "--out", str(tmp_path / out), *more)
    assert code == 1
    assert text.startswith("error: ")
    assert message in text
    assert list(tmp_path.iterdir()) == [short]


def test_predict_before_the_study_is_trained(own: Path, tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "fresh")
    code, text = predict(clone, str(own), "--out", str(tmp_path / "future.mp4"))
    assert (code, "Run `dvc repro` to make it" in text) == (1, True)


def test_a_reader_that_stops_early_gets_no_traceback(tmp_path: Path) -> None:
    shutil.copytree(smoke.ROOT / "studies", tmp_path / "studies")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "workflow.cli", "preset", "smoke"]
    run = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    os.close(writer)
    assert (run.returncode, run.stderr) == (1, "")


def test_check_names_every_mistake_before_any_work(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    text = (by_dvc.folder / "params.yaml").read_text().replace("seed: 0", "seed: zero\nsed: 1", 1)
    (tmp_path / "params.yaml").write_text(text)
    run = smoke.foreframe(tmp_path, "check")
    assert run.returncode == 1
    assert run.stderr.startswith("error: params.yaml: sed is no parameter")


@pytest.mark.parametrize(
    ("studies", "code", "message"),
    [
        (("driving",), 0, "params.yaml is right.\n"),
        (("driving_thesis",), 1, "studies/driving_thesis/params.yaml: nothing is no parameter"),
        ((), 1, "studies/driving_thesis/params.yaml: nothing is no parameter"),
        (
            ("nothing",),
            1,
            "error: There is no study nothing. Choose one of: driving, driving_thesis",
        ),
    ],
)
def test_a_mistake_in_one_study_does_not_hold_up_another(
    studies: tuple[str, ...], code: int, message: str, tmp_path: Path
) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(smoke.ROOT / name, tmp_path)
    tiny.write(tmp_path / "studies/driving_thesis", {"dvc.yaml": "", "params.yaml": "nothing: 1\n"})
    only = [word for name in studies for word in ("--study", name)]
    run = smoke.foreframe(tmp_path, "check", *only)
    assert run.returncode == code
    assert message in (run.stderr or run.stdout)
