"""The one way to write a file: a reader sees the old file or the complete new one, never a part."""

import contextlib
import errno
import glob
import os
from collections.abc import Iterator
from pathlib import Path

from foreframe.errors import UserError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to, and publish it as `path` on success.

    On any failure the temporary file is removed and an older `path` stays as it was.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        raise _plain(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, atomically."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8 with the line endings it has, atomically."""
    write_bytes(path, content.encode())


def _sweep(path: Path) -> None:
    """Remove what a writer of `path` that was killed on this machine left behind."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        number = left.name.removesuffix(".tmp").rpartition(".")[2]
        if number.isdecimal() and not _alive(int(number)):
            left.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    # Without this the new name itself may be lost in a power cut.
    _flush(folder)


def _plain(error: OSError, path: Path) -> OSError | UserError:
    # h5py reports a full disk as an OSError without errno, with the number in its text.
    text = str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text:
        return UserError(f"The disk is full: {path} could not be written. Free some space.")
    if error.errno == errno.EFBIG or "File too large" in text:
        return UserError(
            f"{path} grew over the largest file size that this system allows. "
            "Raise the limit (ulimit -f) or write to another disk."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(
            f"{path} could not be written: {error.strerror}. Make its folder writable."
        )
    return error
