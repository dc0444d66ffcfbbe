"""A tape grows at its end, and what was written stays when the process is killed.

Artefacts are published whole, by the atomic writer; a tape holds the work that leads to one. It is
scratch: who goes on with a tape must know how much of it is good, and says so.
"""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from foreframe.artefacts import atomic


class Tape:
    """An open tape; nothing is held back in memory."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes; what is appended follows them."""
        with atomic.in_plain_words(self.path):
            os.ftruncate(self._descriptor, size)

    def append(self, content: bytes | memoryview) -> None:
        """Write all of `content` at the end.

        Raises:
            UserError: the disk is full or failing.
        """
        rest = memoryview(content)
        with atomic.in_plain_words(self.path):
            while rest.nbytes:
                # One call may write a part only.
                rest = rest[os.write(self._descriptor, rest) :]


@contextlib.contextmanager
def opening(path: Path) -> Iterator[Tape]:
    """Yield the tape `path`, made if need be; another process that has it open is waited for.

    Raises:
        UserError: the folder cannot be written to.
    """
    with atomic.in_plain_words(path):
        descriptor = _locked(path)
    try:
        yield Tape(path, descriptor)
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    while True:
        # The process that was waited for may have removed the whole folder.
        with contextlib.suppress(FileNotFoundError):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            _lock(path, descriptor)
            if os.fstat(descriptor).st_nlink > 0:
                return descriptor
            os.close(descriptor)


def _lock(path: Path, descriptor: int) -> None:
    # Some network file systems know no locks; there two processes are not told apart.
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"{path} is in use by another process; waiting for its end.\n")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
