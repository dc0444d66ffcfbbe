"""The one way to write a file: a reader sees the old file or the complete new one, never a part.

A writer holds a lock on its temporary file, and the system frees it however the writer ends. So the
next writer knows what was left behind from what is in use, on other machines and in containers too,
where the number of a process says nothing.
"""

import contextlib
import errno
import fcntl
import glob
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from foreframe.errors import UserError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to, and publish it as `path` on success.

    On any failure the temporary file is removed and an older `path` stays as it was.

    Raises:
        UserError: the disk is full or failing, or the folder cannot be written to.
    """
    with in_plain_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        with _temporary(path) as temporary:
            yield temporary
            _flush(temporary)
            os.replace(temporary, path)
        # Without this the new name itself may be lost in a power cut.
        _flush(path.parent)


@contextlib.contextmanager
def in_plain_words(path: Path) -> Iterator[None]:
    """Turn what goes wrong while `path` is written into a message that says what to do.

    Raises:
        UserError: the disk is full or failing, or the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        raise _plain(error, path) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, atomically."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8 with the line endings it has, atomically."""
    write_bytes(path, content.encode())


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield a new, empty, locked file beside `path`; at the end it is gone unless renamed."""
    temporary, descriptor = _create(path)
    try:
        yield temporary
    finally:
        # What cannot be removed now is removed by the next writer.
        with contextlib.suppress(OSError):
            temporary.unlink()
        os.close(descriptor)


def _create(path: Path) -> tuple[Path, int]:
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        # Shared, as HDF5's readers lock: one may open the file right after it is published. Some
        # network file systems know no locks; there nothing is swept either.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        # Another writer may have swept it before it was locked.
        if os.fstat(descriptor).st_nlink > 0:
            return temporary, descriptor
        os.close(descriptor)


def _sweep(path: Path) -> None:
    """Remove what writers of `path` that were killed left behind."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        # Not ours to open, gone meanwhile, or in use.
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _concerns(failed: Path, path: Path) -> bool:
    return failed in (path, *path.parents) or failed.name.startswith(f".{path.name}.")


def _plain(error: OSError, path: Path) -> OSError | UserError:
    if error.filename is not None and not _concerns(Path(error.filename), path):
        # Of another file, that was read meanwhile.
        return error
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
    if error.errno == errno.EIO:
        return UserError(
            f"{path} could not be written: {error.strerror}. The disk, or the connection to it, "
            "is failing. Write to another disk."
        )
    return error
