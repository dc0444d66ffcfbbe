"""Unpacking tar and zip archives from elsewhere: nothing leaves the folder, nothing fills the disk.

Only files and folders are unpacked. Links, devices, names that lead elsewhere, a name given twice,
and more or larger files than were announced are refused before or while they are written.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from foreframe.artefacts import atomic
from foreframe.errors import UserError

BLOCK = 1 << 20

# Pictures and videos are compressed already and hardly shrink; a bomb shrinks a thousandfold.
MOST_RATIO = 200

# No header of an honest archive is longer; a tar's may claim any length and is read at once.
LONGEST_READ = 16 << 20

LONGEST_NAME = 1024

# What the libraries raise for a damaged archive.
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error,
    NotImplementedError, RuntimeError, KeyError, OverflowError, gzip.BadGzipFile,
)  # fmt: skip


@dataclass
class _Budget:
    """How much may still be unpacked."""

    archive: Path
    bytes: int
    files: int

    def file(self) -> None:
        self.files -= 1
        if self.files < 0:
            raise self.bomb("more files")

    def take(self, size: int) -> None:
        self.bytes -= size
        if self.bytes < 0:
            raise self.bomb("more bytes")

    def bomb(self, what: str) -> UserError:
        return UserError(
            f"{self.archive} unpacks to {what} than it should have: it was not unpacked to the "
            "end. Download it again from its authors."
        )


class _Bounded(io.RawIOBase):
    """Reads from a file, but never very much at once: a header's length may be a lie."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes."""
        if not 0 <= size <= LONGEST_READ:
            raise ValueError(f"a header claims {size} bytes")
        return self.file.read(size)

    def seek(self, place: int, whence: int = 0, /) -> int:
        """Go to a place in the file."""
        return self.file.seek(place, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self.file.tell()


def unpack(archive: Path, folder: Path, most_bytes: int, most_files: int) -> None:
    """Unpack a tar (plain or gzip) or zip archive below a folder; older files are replaced.

    Raises:
        UserError: it is damaged, names something outside, holds a link or device, or unpacks to
            more than `most_bytes`, `most_files`, or 200 times its own size.
    """
    most = min(most_bytes, MOST_RATIO * archive.stat().st_size)
    budget = _Budget(archive, most, most_files)
    members = _zip(archive, budget) if archive.suffix == ".zip" else _tar(archive, budget)
    seen: set[str] = set()
    try:
        for name, content in members:
            target = folder / _safe(archive, name, seen)
            budget.file()
            with content, atomic.writing(target) as temporary, temporary.open("wb") as file:
                _copy(content, file, budget)
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise _refused(archive, error.filename, "is both a file and a folder") from None
    except DAMAGE as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{archive} is damaged ({error}). Remove it and download it again."
        ) from None


def _copy(source: IO[bytes], file: IO[bytes], budget: _Budget) -> None:
    while block := source.read(BLOCK):
        budget.take(len(block))
        file.write(block)


def _zip(archive: Path, budget: _Budget) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        if len(opened.infolist()) > 2 * budget.files + 1000:
            raise budget.bomb("more files")
        for entry in opened.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, entry.filename, "is a link or a device")
            if entry.flag_bits & 1:
                raise _refused(archive, entry.filename, "is encrypted")
            if not entry.is_dir():
                # The library checks the content against its checksum while it is read.
                yield entry.filename, _entry(opened, entry)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(entry)
    except OSError as error:
        # It is said to lie outside of the archive.
        raise zipfile.BadZipFile(f"{entry.filename}: {error.strerror}") from None


def _tar(archive: Path, budget: _Budget) -> Iterator[tuple[str, IO[bytes]]]:
    with _plain(archive) as file:
        bounded: Any = _Bounded(file)
        with tarfile.open(fileobj=bounded, mode="r:") as opened:
            for entry in opened:
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    raise _refused(archive, entry.name, "is a link or a device")
                content = opened.extractfile(entry)
                assert content is not None, "a file has a content"
                yield entry.name, content
            # The library takes a damaged header for the end, which is a block of zeros.
            file.seek(opened.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("its end is missing or damaged")
            # The checksum of gzip comes last of all.
            if len(file.read(LONGEST_READ)) == LONGEST_READ:
                raise tarfile.ReadError("it goes on after its end")


@contextmanager
def _plain(archive: Path) -> Iterator[IO[bytes]]:
    with archive.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        plain: Any = gzip.GzipFile(fileobj=file) if packed else file
        yield plain


def _safe(archive: Path, name: str, seen: set[str]) -> Path:
    """Return the path of a member below the folder."""
    path = PurePosixPath(name)
    if not name.isprintable() or "\\" in name or ":" in name or len(name) > LONGEST_NAME:
        raise _refused(archive, ascii(name), "has a name that not all systems can have")
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise _refused(archive, name, "lies outside of the folder")
    if (key := str(path).casefold()) in seen:
        raise _refused(archive, name, "is there twice")
    seen.add(key)
    return Path(*path.parts)


def _refused(archive: Path, name: object, why: str) -> UserError:
    return UserError(
        f"{archive}: {name} {why}, so it was not unpacked. Download the archive again from its "
        "authors, and unpack it by hand if it is meant to be so."
    )
