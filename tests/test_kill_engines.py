"""Kill either engine anywhere and call it again: no step by hand, an equal lock, equal bytes."""

import contextlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from foreframe.artefacts import digest
from tests import killing, smoke
from tests.killing import Running, started
from tests.workflow import tiny

# `make report` calls the first; in these folders there is no virtual environment to set up.
DVC = ("python", "-m", "workflow.alone", "dvc", "repro")
SNAKEMAKE = ("snakemake", "--cores", "2")
ENGINES = {"dvc": DVC, "snakemake": SNAKEMAKE}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project after a run that nothing disturbed."""
    folder = tiny.make(tmp_path_factory.mktemp("straight"))
    tiny.run(folder, *DVC)
    return folder


def made(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "data").iterdir())}


def check(folder: Path, finished: Path) -> None:
    assert tiny.lock(folder) == tiny.lock(finished)
    assert made(folder) == made(finished)


def start_anew(folder: Path) -> None:
    """Forget everything that the engines made, also in DVC's cache."""
    (folder / "dvc.lock").unlink(missing_ok=True)
    for name in ("data", ".dvc/cache", ".snakemake", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)


def complete(command: Sequence[str], folder: Path) -> float:
    """Call an engine as often as it takes when nobody kills it: once. Return the seconds."""
    start = time.monotonic()
    with started(command, folder) as running:
        assert running.wait() == 0, running.text
    return time.monotonic() - start


def torment(
    commands: Sequence[Sequence[str]],
    folder: Path,
    seconds: float,
    kills: int,
    settle: Callable[[int], object],
) -> int:
    """Kill at random moments, group and parent alone in turn; return how many calls came through.

    The orphans of one call are still at work in the next. `settle` is called after every kill.
    """
    moments, came_through = random.Random(kills), 0
    with contextlib.ExitStack() as last:
        for number in range(kills):
            while True:
                with contextlib.ExitStack() as stack:
                    command = commands[number % len(commands)]
                    running = stack.enter_context(started(command, folder))
                    if running.ended_within(moments.uniform(0, seconds)):
                        assert running.process.returncode == 0, running.text
                        came_through += 1
                        last.close()
                        settle(0)
                        continue
                    running.kill(whole=number // len(commands) % 2 == 0)
                    last.close()
                    last.callback(_end, running, stack.pop_all())
                    break
            settle(number + 1)
    return came_through


def _end(running: Running, stack: contextlib.ExitStack) -> None:
    with stack:
        running.await_orphans()


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_killed_at_random_moments(name: str, finished: Path, tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "project")
    complete(ENGINES[name], folder)  # so that all code is compiled
    start_anew(folder)
    seconds = complete(ENGINES[name], folder)
    start_anew(folder)

    def settle(number: int) -> None:
        if number % 3 == 0:
            complete(ENGINES[name], folder)
            check(folder, finished)
            start_anew(folder)

    through = torment([ENGINES[name]], folder, seconds, 30, settle)
    sys.stdout.write(f"{name}, {seconds:.1f} s undisturbed: 30 kills, {through} came through\n")


@pytest.mark.slow
def test_the_study_killed_in_both_engines_in_turn(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "study")
    torment([DVC, SNAKEMAKE], clone.folder, 40.0, 8, lambda number: None)
    complete(DVC, clone.folder)
    check_study(clone.folder, by_dvc.folder)
    assert list(clone.folder.glob(".checkpoints/*")) == []


def check_study(folder: Path, finished: Path) -> None:
    assert tiny.lock(folder) == tiny.lock(finished)
    for path, md5 in outputs(folder).items():
        assert digest.digest(folder / path) == md5, path


def outputs(folder: Path) -> dict[str, Any]:
    entries = tiny.lock(folder).values()
    return {out["path"]: out["md5"] for entry in entries for out in entry["outs"]}


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.8, 2.0])
@pytest.mark.parametrize(
    "pair",
    [(DVC, DVC), (DVC, SNAKEMAKE), (SNAKEMAKE, DVC), (SNAKEMAKE, SNAKEMAKE)],
    ids=lambda pair: " and ".join("snakemake" if one == SNAKEMAKE else "dvc" for one in pair),
)
def test_two_runs_at_once(
    pair: tuple[Sequence[str], Sequence[str]], delay: float, finished: Path, tmp_path: Path
) -> None:
    folder = tiny.make(tmp_path / "project")
    with started(pair[0], folder) as first:
        time.sleep(delay)
        with started(pair[1], folder) as second:
            assert [first.wait(), second.wait()] == [0, 0], first.text + second.text
    check(folder, finished)


@pytest.mark.slow
def test_two_bare_dvc_repro_never_mix(finished: Path, tmp_path: Path) -> None:
    """DVC by itself does not wait: the later one may stop and says which process is in its way."""
    for number in range(4):
        folder = tiny.make(tmp_path / str(number))
        bare = ("dvc", "repro")
        with started(bare, folder) as first:
            time.sleep(0.3 * number)
            with started(bare, folder) as second:
                for running in (first, second):
                    assert running.wait() == 0 or "is being blocked by" in running.text
                assert 0 in (first.wait(), second.wait())
        check(folder, finished)


@pytest.mark.slow
def test_two_runs_of_the_study_at_once(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    clone = smoke.copy(by_dvc, tmp_path / "study")
    params = clone.folder / "params.yaml"
    text = params.read_text()
    assert "author: Foreframe" in text
    params.write_text(text.replace("author: Foreframe", "author: Two at once"))
    with started(SNAKEMAKE, clone.folder) as first, started(DVC, clone.folder) as second:
        assert [first.wait(), second.wait()] == [0, 0], first.text + second.text
    assert "up to date" in clone.run("dvc", "status", "dvc.yaml").stdout
    check_study(clone.folder, clone.folder)


def retrain(by_dvc: smoke.Clone, folder: Path) -> smoke.Clone:
    """Return a copy of the study in which the autoencoder has to be trained again."""
    clone = smoke.copy(by_dvc, folder)
    shutil.rmtree(clone.folder / ".dvc" / "cache" / "runs")
    text = (clone.folder / "dvc.lock").read_text()
    start, stop = text.index("  train_autoencoder:"), text.index("  extract_latents:")
    assert start < stop
    (clone.folder / "dvc.lock").write_text(text[:start] + text[stop:])
    return clone


def checkpoint(folder: Path) -> bool:
    return any(folder.glob(".checkpoints/train_autoencoder*/step-*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number", "whole", "code"),
    [
        ("dvc", signal.SIGINT, True, 255),  # Ctrl-C: the stage ends with 130, which dvc reports
        ("dvc", signal.SIGTERM, True, -signal.SIGTERM),
        ("dvc", signal.SIGTERM, False, -signal.SIGTERM),  # the stage sees that its dvc is gone
        ("snakemake", signal.SIGINT, True, 1),
        ("snakemake", signal.SIGTERM, True, 1),
    ],
)
def test_a_signal_to_an_engine_keeps_the_checkpoint(
    name: str, number: int, whole: bool, code: int, by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    clone = retrain(by_dvc, tmp_path / "study")
    folder = clone.folder
    with started(ENGINES[name], folder) as running:
        killing.await_true(lambda: checkpoint(folder), "a checkpoint")
        running.note_family()
        send = os.killpg if whole else os.kill
        send(running.process.pid, number)
        assert running.wait(30) == code, running.text
        running.await_orphans()
    assert checkpoint(folder)
    with started(ENGINES[name], folder) as running:
        assert running.wait() == 0, running.text
        log = folder / "logs" / "train_autoencoder.log"
        said = log.read_text() if name == "snakemake" else running.text
    assert "goes on after step" in said
    check_study(folder, by_dvc.folder)
