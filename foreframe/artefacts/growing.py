"""A file that grows over several runs, such as a download: the one that is not written atomically.

It has a name of its own until it is complete and checked; then it gets the name that readers know.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from foreframe.errors import UserError


@contextlib.contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to go on with, at its end; what was written stays, whatever happens.

    Raises:
        UserError: another process writes it, the disk is full, or the folder is not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"Another process is writing {path}. Wait for its end.") from None
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk is full: {path} could not be written. Free some space; what is there "
                "is kept."
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(f"{path} could not be written: {error.strerror}.") from None
        raise
