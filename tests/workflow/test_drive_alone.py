"""`foreframe drive` with a predictor that takes no actions: it goes on, and says that it does."""

import http.client
import json
import os
import threading
from email.message import Message
from pathlib import Path

import av
import pytest

from foreframe.simulator.environment import LearnedDriving
from tests.stages import evaluation_study as tiny
from tests.workflow import predictor_study
from tests.workflow.test_drive_terminal import in_terminal, read_until
from workflow import cli
from workflow.drive import web

STUDY = ("--study", predictor_study.NAME)
SAID = "the predictor takes no actions, so the world goes on by itself"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return predictor_study.make(tmp_path_factory.mktemp("drive"))


def drive(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """Run the command; return what it ends with, empty if all is well."""
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        cli.main(["drive", *STUDY, *words])
    return str(ended.value.code or "")


def test_a_drive_into_a_file_goes_on_as_the_study_draws(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"first": (), "drawn": ("--choice", "drawn"), "mean": ("--choice", "mean")}
    for name, more in words.items():
        out = ("--run", "srnn", "--frames", "9", "--out", f"{name}.gif", *more)
        assert drive(folder, monkeypatch, *out) == ""
    contents = {name: (folder / f"{name}.gif").read_bytes() for name in words}
    assert contents["first"] == contents["drawn"] != contents["mean"]
    with av.open(str(folder / "first.gif")) as file:
        assert len(list(file.decode(video=0))) == 2 + 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--run", "srnn", "--choice", "best"), "sampling.choices has: drawn, mean."),
        (("--run", "srnn", "--actions", "a.csv"), f"a.csv has no use: {SAID}"),
        (("--run", "sequence_vae"), "SequenceVAE cannot be driven in"),
        (("--run", "autoencoder"), "Give an autoencoder and the priors"),
        ((), "has no sample@actions. Choose of: autoencoder"),
    ],
)
def test_what_cannot_work_is_refused_plainly(
    words: tuple[str, ...], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = drive(folder, monkeypatch, "--frames", "2", "--out", "none.gif", *words)
    assert said.startswith("error: ") and message in said
    assert not (folder / "none.gif").exists()


def test_the_page_says_that_keys_move_nothing(folder: Path) -> None:
    study = tiny.Study(folder / "data" / predictor_study.NAME)
    environment = LearnedDriving(
        study.path("frames"),
        study.path("split"),
        study.path("normalization"),
        [study.folder / "prednet.safetensors"],
    )
    shown = []
    with web.Server(web.Drive(environment, 0, {"clip": 1}), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            for keys in ([], ["left"]):
                server.drive._first = (0, {"clip": 1})
                shown += [post(server, "/reset", []), post(server, "/step", keys)]
        finally:
            server.shutdown()
            thread.join()
    assert {headers["X-Steered"] for headers, _ in shown} == {""}
    assert str(shown[1][0]["X-Status"]).endswith(f"frames a second; {SAID}")
    assert shown[1][1] == shown[3][1]


def post(server: web.Server, path: str, keys: list[str]) -> tuple[Message, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    connection.request("POST", path, json.dumps(keys))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.headers, content


def test_the_terminal_says_that_keys_move_nothing(folder: Path) -> None:
    process, ours, theirs = in_terminal(folder, *STUDY, "--run", "prednet")
    try:
        assert b"arrows" not in read_until(ours, b"frames a second")
        os.write(ours, b"\x1b[D")
        for _ in range(3):
            shown = read_until(ours, b"frames a second   ")
            assert b"left" not in shown
        os.write(ours, b"q")
        assert b"Traceback" not in read_until(ours, b"\x1b[?1049l")
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
