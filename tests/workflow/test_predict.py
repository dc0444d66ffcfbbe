"""`foreframe predict` with predictors of frames: their futures, or plainly why there are none."""

from pathlib import Path

import av
import numpy
import pytest
import torch

from foreframe.config import reading
from foreframe.data import video
from foreframe.predictors import Context, loading
from foreframe.randomness import Draws
from tests.stages import evaluation_study as tiny
from tests.workflow import predictor_study
from workflow import cli, predict

CONTEXT, HORIZON = tiny.PROTOCOL.futures.context, tiny.PROTOCOL.futures.horizon


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = predictor_study.make(tmp_path_factory.mktemp("predict"))
    frames = tiny.drifting(0)[:12]
    # Enlarged whole pixels come back as they were, up to the codec.
    video.write(made / "own.mp4", video.enlarge(frames, 64), 0.1)
    return made


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """Run the command in the study's folder; return what it ends with, empty if all is well."""
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        cli.main(["predict", "own.mp4", "--study", predictor_study.NAME, *words])
    return str(ended.value.code or "")


@pytest.mark.parametrize("kind", predictor_study.FRAMEWISE)
def test_every_predictor_of_frames_continues_a_video(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(folder, monkeypatch, "--run", kind, "--out", f"{kind}.mp4") == ""
    with av.open(str(folder / f"{kind}.mp4")) as file:
        assert len(list(file.decode(video=0))) == CONTEXT + HORIZON


def test_the_future_is_that_of_the_choice_and_the_seed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, numpy.ndarray] = {}
    monkeypatch.setattr(video, "write", lambda out, frames, _: shown.update({out.stem: frames}))
    monkeypatch.setattr(video, "enlarge", lambda frames, _: frames)
    for name, words in {
        "first": (), "drawn": ("--choice", "drawn"), "mean": ("--choice", "mean"),
        "other": ("--seed", "1"),
    }.items():  # fmt: skip
        assert run(folder, monkeypatch, "--run", "srnn", "--out", f"{name}.mp4", *words) == ""
    assert numpy.array_equal(shown["first"], shown["drawn"])
    assert not numpy.array_equal(shown["first"][CONTEXT:], shown["mean"][CONTEXT:])
    assert not numpy.array_equal(shown["first"][CONTEXT:], shown["other"][CONTEXT:])
    own = folder / "data" / predictor_study.NAME
    predictor = loading.load(
        [own / "srnn.safetensors"], own / "normalization.json", torch.device("cpu")
    )
    shape = predict.frame_format(own / "frames.h5")
    context = predict.last_frames(folder / "own.mp4", shape, CONTEXT)
    options = reading.validate(predictor.options, predictor_study.MEAN, "choice")
    known = Context(torch.from_numpy(context)[None], [0])
    draws = Draws.first(tiny.PROTOCOL.futures.seed, [0])
    future = predictor.predict(known, HORIZON, options, draws).frames[0].numpy()
    assert numpy.array_equal(shown["mean"], numpy.concatenate([context, future]))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sequence_vae", "models the states of a source and knows nothing of frames"),
        ("autoencoder", "the priors none. Give an autoencoder and the priors"),
    ],
)
def test_what_predicts_no_frames_is_refused_plainly(
    kind: str, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(folder, monkeypatch, "--run", kind, "--out", "none.mp4")
    assert said.startswith("error: ") and message in said
    assert not (folder / "none.mp4").exists()
