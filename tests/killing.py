"""Commands that are killed on the way; each has its own process group and is always cleaned up."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.smoke import PROGRAMS

SECONDS = 120.0  # longest wait for anything; the whole smoke study takes less on a quiet core
GONE = (psutil.NoSuchProcess, psutil.ZombieProcess)


class Running:
    """A command at work in a folder, its output in a file."""

    def __init__(self, command: Sequence[str], folder: Path, more: Mapping[str, str]) -> None:
        descriptor, name = tempfile.mkstemp(".output", dir=folder.parent)
        self.output = Path(name)
        path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **more}
        with os.fdopen(descriptor, "w") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.family: list[psutil.Process] = []

    @property
    def text(self) -> str:
        """All that it and its children have printed so far."""
        return self.output.read_text(errors="replace")

    def wait(self, seconds: float = SECONDS) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(seconds)

    def ended_within(self, seconds: float) -> bool:
        """Wait so long, and tell whether it has come to its end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def note_family(self) -> list[psutil.Process]:
        """Remember its children, and theirs, as they are now, to find them later without it."""
        with contextlib.suppress(*GONE):
            self.family += psutil.Process(self.process.pid).children(recursive=True)
        return self.family

    def kill(self, whole: bool) -> None:
        """Kill it with all its children, or it alone: then these live on as orphans."""
        family = self.note_family()
        self.process.kill()
        for child in family if whole else []:
            with contextlib.suppress(*GONE):
                child.kill()
        self.process.wait(SECONDS)

    def orphans(self) -> list[psutil.Process]:
        """Return those of the children noted that are still at work."""
        return [child for child in self.family if _at_work(child)]

    def await_orphans(self) -> None:
        """Wait until all of them have come to their own end."""
        await_true(lambda: not self.orphans(), f"the orphans of {self.process.args!r} to end")


def await_true(condition: Callable[[], object], words: str, seconds: float = SECONDS) -> None:
    """Wait until a condition holds; fail with the words when it takes too long."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds:.0f} s for {words}"
        time.sleep(0.01)


@contextlib.contextmanager
def started(
    command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start a command; at the end of the block it and all its children are gone."""
    running = Running(command, folder, more or {})
    try:
        yield running
    finally:
        running.note_family()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        for child in running.orphans():
            with contextlib.suppress(*GONE):
                child.kill()
        running.process.wait(SECONDS)


def _at_work(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except GONE:
        return False
