"""Kill a stage anywhere and call it again: the same bytes as of a run that nothing disturbed."""

import contextlib
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from tests import killing, smoke
from tests.killing import Running
from workflow import dag

# A shell that stays, as the parent: the stage is its child and may outlive it.
PARENT = 'sh -c "$0"; exit $?'
# Of whom a kill -9 takes: all; the parent alone; the stage's first process, but not its workers.
WAYS = ("group", "parent", "process")
# What makes a stage last longer than the smoke preset's: a parameter, and its value here.
LONGER = {
    "collect": ("data.driving.source.episodes", 30),
    "train_autoencoder": ("autoencoders.vqvae.training.epochs", 8),
    "train_prior@top": ("priors.top.training.epochs", 16),
}
# Stages that go on where they were.
RESUMING = tuple(LONGER)
LONG = ("collect", "train_autoencoder", "train_prior@top", "sample@driving")


@dataclass
class Stage:
    """One stage of a study's copy, called as DVC would, and the bytes it has to make."""

    clone: smoke.Clone
    command: str
    expected: dict[Path, bytes]
    found: dict[str, int] = field(default_factory=lambda: {"kills": 0, "ends": 0, "resumed": 0})

    @contextlib.contextmanager
    def started(self) -> Iterator[Running]:
        """Start it as a child of a shell, its outputs removed as an engine removes them."""
        for path in self.expected:
            path.unlink(missing_ok=True)
        with self.called() as running:
            yield running
            self.found["resumed"] += "goes on after" in running.text

    def called(self) -> contextlib.AbstractContextManager[Running]:
        command = ["bash", "-c", PARENT, self.command]
        return killing.started(command, self.clone.folder, {"DVC_STAGE": "stage"})

    def check(self) -> None:
        """Every output is the right one, and nothing else was left behind."""
        for path, content in self.expected.items():
            assert path.read_bytes() == content, path
            assert list(path.parent.glob(".*.tmp")) == []
        assert list(self.clone.folder.glob(".checkpoints/*")) == []

    def check_whole(self) -> None:
        """What a reader may meet after a kill: every output is the right one or missing."""
        for path, content in self.expected.items():
            assert not path.exists() or path.read_bytes() == content, path

    def run(self) -> float:
        """Run it to its end, undisturbed by us, and return the seconds that took."""
        start = time.monotonic()
        with self.started() as running:
            assert running.wait() == 0, running.text
        self.found["ends"] += 1
        return time.monotonic() - start


def stage(clone: smoke.Clone, name: str) -> Stage:
    found = next(stage for stage in dag.read(clone.folder) if stage.name == name)
    expected = {clone.folder / out: (clone.folder / out).read_bytes() for out in found.outs}
    return Stage(clone, found.command, expected)


def longer(clone: smoke.Clone, parameter: str, value: int) -> None:
    """Give one parameter of the copy another value."""
    path = clone.folder / "params.yaml"
    yaml = YAML()
    content: Any = yaml.load(path.read_text())
    part = content
    *sections, key = parameter.split(".")
    for section in sections:
        part = part[section]
    part[key] = value
    with path.open("w") as file:
        yaml.dump(content, file)


def prepare(name: str, by_dvc: smoke.Clone, folder: Path) -> tuple[Stage, float]:
    """Return a stage in a copy of the finished study, and how long it takes undisturbed."""
    clone = smoke.copy(by_dvc, folder)
    if name in LONGER:
        longer(clone, *LONGER[name])
        stage(clone, name).run()
    made = stage(clone, name)
    seconds = made.run()
    made.check()
    return made, seconds


def program(running: Running) -> psutil.Process | None:
    """Return the stage's first process, below the shells; None where there is none yet."""
    for child in running.note_family():
        with contextlib.suppress(*killing.GONE):
            if child.cmdline()[1:2] == ["-m"]:
                return child
    return None


def kill(running: Running, way: str) -> None:
    child = program(running)
    if way == "process" and child is not None:
        with contextlib.suppress(*killing.GONE):
            child.kill()
        running.wait()
    else:
        running.kill(whole=way != "parent")


def torment(made: Stage, seconds: float, kills: int, seed: int) -> None:
    """Kill a stage at random moments, calling it again each time, then let it come to its end.

    An orphan works on beside the next call, which has to cope with it.
    """
    moments = random.Random(seed)
    with contextlib.ExitStack() as last:
        while made.found["kills"] < kills:
            with contextlib.ExitStack() as stack:
                running = stack.enter_context(made.started())
                if running.ended_within(moments.uniform(0, seconds)):
                    assert running.process.returncode == 0, running.text
                    made.found["ends"] += 1
                    made.check_whole()
                    continue
                kill(running, WAYS[made.found["kills"] % len(WAYS)])
                made.found["kills"] += 1
                made.check_whole()
                # Orphans of the call before have come to their end; those of this one go on.
                last.close()
                last.callback(_end, running, stack.pop_all())
        made.run()
    made.check()


def _end(running: Running, stack: contextlib.ExitStack) -> None:
    with stack:
        running.await_orphans()


# Thirty kills of each of the long stages, in three parts that can be run at once.
PARTS = [
    *((name, 10, part) for name in LONG for part in (1, 2, 3)),
    ("evaluate@driving", 6, 1),
    ("report", 6, 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kills", "part"), PARTS)
def test_killed_at_random_moments(
    name: str, kills: int, part: int, by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    made, seconds = prepare(name, by_dvc, tmp_path / "study")
    torment(made, seconds, kills, seed=part)
    sys.stdout.write(f"{name}, {seconds:.1f} s undisturbed: {made.found}\n")
    if name in RESUMING:
        assert made.found["resumed"] > 0


def test_a_collection_that_is_killed_twice(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    clone = smoke.copy(by_dvc, tmp_path / "study")
    longer(clone, "data.driving.source.episodes", 12)
    stage(clone, "collect").run()
    made = stage(clone, "collect")
    for way in ("group", "parent"):
        with made.started() as running:
            known = episodes(made)
            await_episode_after(made, known)
            kill(running, way)
            running.await_orphans()
            made.check_whole()
            kept = episodes(made)
            # The orphan of the second stopped too: nobody waits for what it makes.
            assert known < kept < 12
    with made.started() as running:
        assert running.wait() == 0, running.text
        assert f"goes on after episode {kept}." in running.text
    made.check()


def episodes(made: Stage) -> int:
    """Return how many episodes the journal of a collection holds."""
    paths = made.clone.folder.glob(".checkpoints/collect-*/episodes.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in paths)


def await_episode_after(made: Stage, known: int) -> None:
    killing.await_true(lambda: episodes(made) > known, f"an episode after the first {known}")


def await_checkpoint_after(made: Stage, known: int) -> None:
    killing.await_true(lambda: steps(made) > known, f"a checkpoint after step {known}")


def steps(made: Stage) -> int:
    """Return the step of the newest checkpoint, or 0."""
    names = [path.stem for path in made.clone.folder.glob(".checkpoints/*/step-*")]
    return max((int(name.removeprefix("step-")) for name in names), default=0)


def test_a_training_that_is_killed_and_stopped_twice(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    clone = smoke.copy(by_dvc, tmp_path / "study")
    # Long enough that no pause of this process, which looks for checkpoints, lasts to its end.
    longer(clone, "autoencoders.vqvae.training.epochs", 12)
    stage(clone, "train_autoencoder").run()
    made = stage(clone, "train_autoencoder")
    with made.started() as running:
        await_checkpoint_after(made, 0)
        kill(running, "group")
        made.check_whole()
    kept = steps(made)
    assert kept > 0
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with made.started() as running:
            await_checkpoint_after(made, kept)
            child = program(running)
            assert child is not None
            child.send_signal(number)
            assert running.wait(20) == code
            made.check_whole()
            assert f"goes on after step {kept}." in running.text
        kept = steps(made)
    with made.started() as running:
        assert running.wait() == 0, running.text
        assert f"goes on after step {kept}." in running.text
    made.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["collect", "train_autoencoder", "sample@driving"])
def test_two_processes_that_write_the_same_outputs(
    name: str, by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    made = stage(smoke.copy(by_dvc, tmp_path / "study"), name)
    with made.started() as first, made.called() as second:
        assert [first.wait(), second.wait()] == [0, 0], second.text
    made.check()
