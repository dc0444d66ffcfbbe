"""Which process of its run this one is, and how the first one starts the others.

`torchrun` may start all of them, on one node or on several; or `FOREFRAME_PROCESSES=4` stands in
the environment of a single process, which then starts the others itself, with its own command.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from foreframe.errors import UserError

WANTED = "FOREFRAME_PROCESSES"
# What a process started by the first one is told: its rank, how many there are, where they meet.
MEMBER = "FOREFRAME_MEMBER"
MEETING = "meeting"
PATIENCE = 10.0  # seconds that a process at its end is waited for


@dataclass(frozen=True)
class Process:
    """A process that this one has started; `said` holds its standard output and error."""

    rank: int
    process: "subprocess.Popen[bytes]"
    said: IO[bytes]

    def ended(self) -> str:
        """Return how it ended, with the last line that it said; nothing if it runs or ended well.

        One that is about to end is waited for.
        """
        try:
            code = self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return ""
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        return f"ended with {code}{f': {lines[-1]}' if lines else ''}" if code else ""


def started_by_torchrun() -> bool:
    """Return whether something else starts the processes of a run, and tells each its rank."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def rank() -> int:
    """Return this process's place, from 0."""
    if MEMBER in os.environ:
        return int(_told()[0])
    return int(os.environ["RANK"]) if started_by_torchrun() else 0


def wanted() -> int:
    """Return how many processes a training is to have.

    Raises:
        UserError: it is no power of two.
    """
    if MEMBER in os.environ:
        return int(_told()[1])
    name = "WORLD_SIZE" if started_by_torchrun() else WANTED
    text = os.environ.get(name, "1")
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1 or number & (number - 1):
        raise UserError(f"{name} is {text!r}. Choose a power of two: 1, 2, 4, ...")
    return number


def meeting() -> Path | None:
    """Return the file by which this process meets the one that started it; None for others."""
    return Path(_told()[2]) if MEMBER in os.environ else None


def start(count: int, folder: Path) -> list[Process]:
    """Start the processes 1 to `count` - 1 with this one's command; they meet in a folder."""
    return [_start(number, count, folder) for number in range(1, count)]


def end(processes: Sequence[Process]) -> None:
    """Wait for processes that are at their end too; stop those that are not."""
    for each in processes:
        try:
            each.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            each.process.terminate()
            each.process.wait()


def _start(number: int, count: int, folder: Path) -> Process:
    told = {MEMBER: f"{number}:{count}:{folder / MEETING}"}
    said = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the process
    process = subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]],
        env={**os.environ, **told},
        stdout=said,
        stderr=said,
    )
    return Process(number, process, said)


def _told() -> list[str]:
    return os.environ[MEMBER].split(":", 2)
