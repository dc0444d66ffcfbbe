"""A run that is killed goes on to the same bytes; damaged and foreign checkpoints do no harm."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from foreframe.artefacts import atomic
from foreframe.training import checkpoints as module
from foreframe.training.checkpoints import Checkpoints, Snapshot, checkpoints
from tests.foreframe.training import runs

ROOT = Path(__file__).resolve().parents[3]
STRAIGHT: dict[str, Mapping[str, bytes]] = {}


@pytest.fixture(params=runs.CASES)
def case(request: pytest.FixtureRequest) -> str:
    """The name of one kind of run."""
    return str(request.param)


@pytest.fixture
def straight(case: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """The outputs of a run that nothing interrupted, and that wrote no checkpoint by steps."""
    if case not in STRAIGHT:
        folder = tmp_path_factory.mktemp("straight")
        STRAIGHT[case] = runs.outcome(folder, case, Checkpoints(folder.with_suffix(".kept"), 1e9))
    return STRAIGHT[case]


def kill(folder: Path, every: int, calls: int, case: str) -> None:
    """Run in a process of its own and kill that after so many calls of the objective."""
    # Importing stages sets how the CPU computes, before torch looks.
    code = f"import runpy, stages; runpy.run_module({runs.__name__!r}, run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(every), case],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    with process:
        assert process.stdout is not None
        for _ in range(calls):
            process.stdout.readline()
        process.kill()
    assert process.returncode == -signal.SIGKILL


def finish(folder: Path, every: int, case: str) -> Mapping[str, bytes]:
    runs.main(folder, every, case)
    assert not (folder / "checkpoints").exists()
    return runs.contents(folder / "outputs")


@pytest.mark.parametrize("case", ["duel"])
def test_killed_again_and_again(case: str, tmp_path: Path, straight: Mapping[str, bytes]) -> None:
    # First in an epoch, then around a validation.
    for calls in (5, 9):
        kill(tmp_path, 1, calls, case)
        assert list((tmp_path / "checkpoints").glob("step-*"))
    assert finish(tmp_path, 3, case) == straight


@pytest.mark.parametrize(
    ("number", "status", "calls"), [(signal.SIGTERM, 143, 4), (signal.SIGINT, 130, 7)]
)
@pytest.mark.parametrize("case", ["plain"])
def test_signals_save_and_stop(
    case: str, tmp_path: Path, straight: Mapping[str, bytes], number: int, status: int, calls: int
) -> None:
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    folder = tmp_path / "checkpoints"
    kept = Checkpoints(folder, seconds=1e9)
    with pytest.raises(SystemExit) as stopped:
        play(case, kept, at_call(calls, lambda: os.kill(os.getpid(), number)))
    assert stopped.value.code == status
    assert [path.stem for path in folder.iterdir()] == [f"step-{min(calls, 6):012d}"]
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert finish(tmp_path, 1000, case) == straight


def test_stopped_at_every_call(case: str, tmp_path: Path, straight: Mapping[str, bytes]) -> None:
    """Without the cost of processes: each call of losses and measure stops the run in turn."""
    calls = 0
    while True:
        calls += 1
        folder = tmp_path / str(calls)
        try:
            play(case, Checkpoints(folder, steps=1), at_call(calls, stop))
        except _StopError:
            assert runs.outcome(tmp_path / "outputs", case, Checkpoints(folder)) == straight, calls
        else:
            break
    assert calls > 24


class _StopError(Exception):
    pass


def stop() -> None:
    raise _StopError


def at_call(calls: int, action: Callable[[], None]) -> Callable[[], None]:
    left = [calls]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            action()

    return count


def play(case: str, checkpoints: Checkpoints, before: Callable[[], None]) -> None:
    objective, plan = runs.CASES[case]()
    runs.play(runs.Watched(objective, before), plan, checkpoints)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
@pytest.mark.parametrize("case", ["plain"])
def test_damaged_checkpoint_costs_steps_only(
    case: str,
    tmp_path: Path,
    straight: Mapping[str, bytes],
    damage: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(_StopError):
        play(case, Checkpoints(tmp_path / "kept", steps=2), at_call(6, stop))
    older, newest = sorted((tmp_path / "kept").iterdir())
    content = newest.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]
    newest.write_bytes({"cut": content[:middle], "flipped": flipped, "empty": b""}[damage])
    found = Checkpoints(tmp_path / "kept").load()
    assert found is not None
    assert f"step-{found.step:012d}" == older.stem
    assert f"{newest.name} is damaged" in capsys.readouterr().err
    kept = Checkpoints(tmp_path / "kept")
    assert runs.outcome(tmp_path / "outputs", case, kept) == straight


def test_last_two_are_kept_and_success_removes_them(tmp_path: Path) -> None:
    with pytest.raises(_StopError), Checkpoints(tmp_path / "kept") as kept:
        for step in range(4):
            kept.save(Snapshot(step, {"x": torch.full((), step)}, {"note": "é"}))
        raise _StopError
    assert len(list((tmp_path / "kept").iterdir())) == 2
    with Checkpoints(tmp_path / "kept") as kept:
        found = kept.load()
        assert found is not None
        assert (found.step, found.tensors["x"].item(), found.facts) == (3, 3, {"note": "é"})
    assert not (tmp_path / "kept").exists()


def test_due_by_steps_or_by_time(tmp_path: Path) -> None:
    by_steps = Checkpoints(tmp_path, seconds=1e9, steps=10)
    assert not by_steps.due(9)
    assert by_steps.due(10)
    by_steps.save(Snapshot(10, {"x": torch.zeros(1)}, {}))
    assert not by_steps.due(19)
    assert Checkpoints(tmp_path, seconds=0.0).due(0)


def test_name_changes_with_inputs_settings_and_code(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    code = ["foreframe.training.loop"]
    named = {
        checkpoints("name", inputs, settings, modules).folder
        for inputs, settings, modules in (
            ([one], {"seed": 0}, code),
            ([other], {"seed": 0}, code),
            ([one], {"seed": 1}, code),
            ([one], {"seed": 0}, ["foreframe.training.tally"]),
        )
    }
    assert len(named) == 4
    assert {folder.parent for folder in named} == {module.FOLDER}
    assert checkpoints("name", [one], {"seed": 0}, code).folder in named


def test_the_dearer_a_checkpoint_the_rarer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    kept = Checkpoints(tmp_path, seconds=1.0)
    write = atomic.write_bytes

    def slowly(path: Path, content: bytes) -> None:
        clock[0] += 3.0
        write(path, content)

    monkeypatch.setattr(atomic, "write_bytes", slowly)
    clock[0] = 1.0
    assert kept.due(1)
    kept.save(Snapshot(1, {"x": torch.zeros(1)}, {}))
    clock[0] += 3.0 / module.SHARE - 1
    assert not kept.due(2)
    clock[0] += 1
    assert kept.due(2)


def test_another_process_of_the_same_run_may_succeed_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    kept = Checkpoints(folder)
    kept.save(Snapshot(1, {"x": torch.zeros(1)}, {}))
    replace = os.replace

    def after_success(*paths: str) -> None:
        shutil.rmtree(folder)
        replace(*paths)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", after_success)
        kept.save(Snapshot(2, {"x": torch.zeros(1)}, {}))
    assert kept.load() is None
    kept.save(Snapshot(3, {"x": torch.zeros(1)}, {}))
    found = Checkpoints(folder).load()
    assert found is not None
    assert found.step == 3


@pytest.mark.parametrize("case", ["plain"])
def test_two_runs_that_share_their_checkpoints(
    case: str, tmp_path: Path, straight: Mapping[str, bytes]
) -> None:
    """One begins and succeeds within a step of the other; both come to the same end."""
    shared = tmp_path / "shared"
    inner: list[Mapping[str, bytes]] = []

    def run_the_other() -> None:
        with Checkpoints(shared, steps=1) as kept:
            inner.append(runs.outcome(tmp_path / "inner", case, kept))

    objective, plan = runs.CASES[case]()
    watched = runs.Watched(objective, at_call(9, run_the_other))
    with Checkpoints(shared, steps=1) as kept:
        result = runs.play(watched, plan, kept)
        runs.write(tmp_path / "outer", objective.model, result)
    assert inner == [straight]
    assert runs.contents(tmp_path / "outer") == straight
    assert not shared.exists()
