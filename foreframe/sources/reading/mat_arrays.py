"""Arrays of bytes in MATLAB's files (.mat, level 5), read piece by piece as streams.

The layout is that of MathWorks' "MAT-File Format": a head of 128 bytes, then elements, each a tag
(its type and its size in bytes) and a content. An array is an element made of elements: its class,
its sides, its name, its values with the first side running fastest; most are packed as a zlib
stream. Arrays of bytes alone are read, no objects and no functions: nothing in a file can run.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from foreframe.errors import UserError

HEAD = 128
LEVEL_5 = b"\x00\x01IM"  # the end of the head: version 1.0, lower bytes first

# Types of elements, and the class of an array of bytes.
BYTES, MATRIX, PACKED = 2, 14, 15
BYTE_CLASS = 9
COMPLEX = 8 << 8  # a flag in the byte after the class

LONGEST_PART = 4096  # of an array's class, sides and name, in bytes
BLOCK = 1 << 16

# What a file that is cut short or damaged raises.
DAMAGE = (EOFError, zlib.error, struct.error, OSError)


@dataclass(frozen=True)
class Array:
    """Where an array of bytes lies, unread.

    Attributes:
        path: the file.
        sides: its shape as MATLAB has it.
        place: where the content of its element begins in the file.
        size: of that content, in bytes.
        packed: whether the content is a zlib stream.
    """

    path: Path
    sides: tuple[int, ...]
    place: int
    size: int
    packed: bool

    def pieces(self, first: int = 0) -> Iterator[bytes]:
        """Yield the values for each index of the last side, from number `first` on.

        Each piece is read whole: look at the sides before.

        Raises:
            UserError: the file is cut short or damaged.
        """
        length = math.prod(self.sides[:-1])
        with _telling(self.path), self.path.open("rb") as file:
            source = _content(file, self.place, self.size, self.packed)
            _head(source)
            for number in range(self.sides[-1]):
                piece = _take(source, length)
                if number >= first:
                    yield piece
            # The checksum of the stream comes after its last byte.
            source.read(8)


def arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of bytes in a file by their names; others are passed over.

    Raises:
        UserError: no such file, of another level, cut short or damaged.
    """
    found = {}
    with _telling(path), path.open("rb") as file:
        if file.read(HEAD)[-4:] != LEVEL_5:
            raise UserError(f"{path} is no MATLAB file of level 5. Download it again.")
        end = file.seek(0, io.SEEK_END)
        place = HEAD
        while place < end:
            file.seek(place)
            kind, size = struct.unpack("<2I", _take(file, 8))
            place, content = place + 8 + size, place + 8
            if place > end or kind not in (MATRIX, PACKED):
                raise EOFError("its end is missing" if place > end else "no array where one begins")
            head = _head(_content(file, content, size, kind == PACKED))
            if head is not None:
                found[head[0]] = Array(path, head[1], content, size, kind == PACKED)
    return found


class _Unpacking(io.RawIOBase):
    """Reads the next `size` bytes of a file through zlib."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size
        self.stream = zlib.decompressobj()
        self.waiting = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer at most, and return how many bytes came: 0 at the end of the stream."""
        while not self.stream.eof:
            if not self.waiting:
                self.waiting = self.file.read(min(BLOCK, self.left))
                self.left -= len(self.waiting)
                if not self.waiting:
                    raise EOFError("its end is missing")
            block = self.stream.decompress(self.waiting, len(buffer))
            self.waiting = self.stream.unconsumed_tail
            if block:
                buffer[: len(block)] = block
                return len(block)
        return 0


def _content(file: IO[bytes], place: int, size: int, packed: bool) -> IO[bytes]:
    """Return a stream of an array's parts."""
    file.seek(place)
    if not packed:
        return file
    source: Any = io.BufferedReader(_Unpacking(file, size), 16 * BLOCK)
    _tag(source)  # of the array itself, which is inside of its stream
    return source


def _head(source: IO[bytes]) -> tuple[str, tuple[int, ...]] | None:
    """Return name and sides of an array, whose values come next; None if these are no bytes."""
    (flags,) = struct.unpack("<I", _part(source)[:4])
    if flags & (COMPLEX | 0xFF) != BYTE_CLASS:
        return None
    content = _part(source)
    sides = struct.unpack(f"<{len(content) // 4}i", content)
    name = _part(source).decode("latin-1")
    kind, size, _ = _tag(source)
    whole = len(sides) > 1 and min(sides) > 0 and size == math.prod(sides)
    return (name, sides) if whole and kind == BYTES else None


def _part(source: IO[bytes]) -> bytes:
    """Return the whole content of a short element."""
    _, size, room = _tag(source)
    if size > LONGEST_PART:
        raise EOFError(f"a part of an array has {size} bytes")
    return _take(source, room)[:size]


def _tag(source: IO[bytes]) -> tuple[int, int, int]:
    """Return an element's type, its size, and the room it takes with what fills it up."""
    (first,) = struct.unpack("<I", _take(source, 4))
    if first >> 16:  # at most four bytes stand in the tag itself, whose halves are shorter
        return first & 0xFFFF, first >> 16, 4
    (size,) = struct.unpack("<I", _take(source, 4))
    return first, size, size + -size % 8


def _take(source: IO[bytes], size: int) -> bytes:
    content = source.read(size)
    if len(content) != size:
        raise EOFError("its end is missing")
    return content


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise UserError(f"{path} is damaged or cut short ({error}). Download it again.") from None
