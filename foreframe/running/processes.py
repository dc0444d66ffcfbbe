"""Which process of its run this one is, and how the first one starts the others.

`torchrun` may start all of them, on one node or on several; or `FOREFRAME_PROCESSES=4` stands in
the environment of a single process, which then starts the others itself, with its own command: on
its own machine, or, with `FOREFRAME_LAUNCHER=srun`, on all nodes of the Slurm job that it is in.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from foreframe.errors import UserError

WANTED = "FOREFRAME_PROCESSES"
LAUNCHER, SRUN = "FOREFRAME_LAUNCHER", "srun"
# What a process started by the first one is told: its rank, how many there are, where they meet.
# srun tells all of them the same, and each its rank; its first one has nothing to do.
MEMBER = "FOREFRAME_MEMBER"
PATIENCE = 10.0  # seconds that a process at its end is waited for


@dataclass(frozen=True)
class Process:
    """A process that this one has started; `said` holds its standard output and error.

    With srun it stands for all of them.
    """

    rank: int | None
    process: "subprocess.Popen[bytes]"
    said: IO[bytes]

    def __str__(self) -> str:
        """Return what it is called in messages."""
        return SRUN if self.rank is None else f"process {self.rank}"

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
        number = _told()[0]
        return int(os.environ["SLURM_PROCID"] if number == SRUN else number)
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


def on_node() -> int:
    """Return this process's place among those of its node, from 0."""
    if "LOCAL_RANK" in os.environ:  # of torchrun
        return int(os.environ["LOCAL_RANK"])
    if MEMBER in os.environ and _told()[0] == SRUN:
        return int(os.environ["SLURM_LOCALID"])
    return 0 if launcher() == SRUN else rank()


def meeting() -> str | None:
    """Return the address where this process meets the one that started it; None for others."""
    return _told()[2] if MEMBER in os.environ else None


def is_idle() -> bool:
    """Return whether this is srun's first process, whose place the one that started it has."""
    return MEMBER in os.environ and _told()[0] == SRUN and rank() == 0


def launcher() -> str | None:
    """Return the program that starts processes; None: they are started on this machine.

    Raises:
        UserError: it is not srun, or srun is not there.
    """
    name = os.environ.get(LAUNCHER)
    if name is None or MEMBER in os.environ:
        return None
    if name != SRUN or shutil.which(name) is None:
        raise UserError(
            f"{LAUNCHER} is {name!r}, which is not {SRUN} or is not installed here. Unset it to "
            "start all processes on this machine, or start the stage by torchrun."
        )
    return name


def start(count: int, folder: Path) -> tuple[list[Process], str]:
    """Start the processes 1 to `count` - 1 with this one's command.

    Returns them and the address where all meet: a file in `folder`, or a port of this node.
    """
    if launcher() == SRUN:
        address = f"tcp://{socket.gethostname()}:{_free_port()}"
        # Slurm spreads all of them evenly over the nodes of the job, so one is started too many.
        words = [SRUN, "--overlap", "--export=ALL", f"--ntasks={count}"]
        return [_start(None, words, f"{SRUN}:{count}:{address}")], address
    address = (folder / "meeting").as_uri()
    numbers = range(1, count)
    return [_start(each, [], f"{each}:{count}:{address}") for each in numbers], address


def end(processes: Sequence[Process]) -> None:
    """Wait for processes that are at their end too; stop those that are not."""
    for each in processes:
        try:
            each.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            each.process.terminate()
            each.process.wait()


def _start(number: int | None, words: Sequence[str], told: str) -> Process:
    said = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the process
    process = subprocess.Popen(
        [*words, sys.executable, *sys.orig_argv[1:]],
        env={**os.environ, MEMBER: told},
        stdout=said,
        stderr=said,
    )
    return Process(number, process, said)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("", 0))
        return int(asked.getsockname()[1])


def _told() -> list[str]:
    return os.environ[MEMBER].split(":", 2)
