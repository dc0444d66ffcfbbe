"""Faults put into real system calls: a forked child acts, and strace kills it or fails a call."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foreframe.errors import UserError

# The calls by which files are made, changed, named and locked; reading is left out.
CALLS = (
    "open", "openat", "creat", "write", "pwrite64", "writev", "pwritev", "lseek", "ftruncate",
    "fallocate", "fsync", "fdatasync", "flock", "rename", "renameat", "renameat2", "link",
    "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "close",
)  # fmt: skip
SECONDS = 30.0
FINE, REFUSED, FAILED = 0, 3, 4


@dataclass(frozen=True)
class End:
    """How a child ended: an exit code or minus a signal, and the message of its error."""

    code: int
    message: str


def count(action: Callable[[], object], folder: Path) -> dict[str, int]:
    """Return how often `action` makes each of `CALLS`; `folder` is for the record."""
    record = folder / "calls"
    end = act(action, ["-e", f"trace={','.join('?' + call for call in CALLS)}"], record)
    assert end.code == FINE, end
    found: dict[str, int] = {}
    for call in re.findall(r"^(\w+)\(", record.read_text(), re.M):
        found[call] = found.get(call, 0) + 1
    record.unlink()
    return found


def kill_at(action: Callable[[], object], call: str, number: int) -> End:
    """Kill a child as it is about to make a call for the n-th time."""
    return act(action, ["-e", f"inject={call}:signal=KILL:when={number}"])


def fail_at(action: Callable[[], object], call: str, number: int, error: str) -> End:
    """Let the n-th of a child's calls of one name fail with an error such as ENOSPC."""
    return act(action, ["-e", f"inject={call}:error={error}:when={number}"])


def act(action: Callable[[], object], options: list[str], record: Path = Path(os.devnull)) -> End:
    """Run `action` in a child that strace follows."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        # Asleep until the tracer is there, so that only the action's own calls count.
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(_attempt(action, writer))
    os.close(writer)
    os.waitpid(child, os.WUNTRACED)
    tracer = subprocess.Popen(
        ["strace", "-qq", "-o", str(record), *options, "-p", str(child)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _await_tracer(child, tracer)
        os.kill(child, signal.SIGCONT)
        status = _await_end(child)
        return End(os.waitstatus_to_exitcode(status), os.read(reader, 1 << 16).decode())
    finally:
        os.close(reader)
        tracer.wait(SECONDS)


def _attempt(action: Callable[[], object], writer: int) -> int:
    try:
        action()
    except UserError as error:
        os.write(writer, str(error).encode())
        return REFUSED
    except OSError as error:
        os.write(writer, repr(error).encode())
        return FAILED
    return FINE


def _await_tracer(child: int, tracer: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + SECONDS
    while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            _, message = tracer.communicate(timeout=SECONDS)
            raise AssertionError(f"strace did not attach: {message}")
        time.sleep(0.001)


def _await_end(child: int) -> int:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"the child did not end within {SECONDS:.0f} s")
