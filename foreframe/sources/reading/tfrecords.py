"""Reading TFRecord files and the tf.train.Example messages in them, without TensorFlow.

A record is a length, a checksum of the length, data, and a checksum of the data (TensorFlow,
tf.io.TFRecordWriter). A message is a list of numbered fields (Protocol Buffers, encoding). Files
are written by others: whatever they hold, the answer is the content or a `UserError`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError

# Bytes around the data of a record: length and its checksum before it, its own after it.
HEAD, TAIL = 12, 4

# A damaged length must not fill the memory.
LARGEST_RECORD = 64 << 20

# Added to a rotated checksum, so that a checksum of checksums is no fixed point.
MASK = 0xA282EAD8

# How Protocol Buffers stores the value of a field.
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

# A varint has seven bits a byte and 64 bits at most.
LONGEST_VARINT = 10


@dataclass(frozen=True)
class Place:
    """Where the data of a record lies: the file, its number there from 1, its offset and size."""

    path: Path
    number: int
    offset: int
    size: int


@dataclass(frozen=True)
class Feature:
    """The values of one feature of an example; the list of the other kind is empty."""

    texts: tuple[bytes, ...]
    numbers: NDArray[numpy.float32]


def masked_checksum(data: bytes) -> int:
    """Return the checksum as TFRecord files store it: CRC-32C, rotated right by 15, plus MASK."""
    checksum = int(google_crc32c.value(data))
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF


def places(path: Path) -> list[Place]:
    """Return where the records of a file lie; their lengths are checked, their data not read.

    Raises:
        UserError: the file cannot be read, is cut short, or a length is damaged.
    """
    found: list[Place] = []
    offset = 0
    try:
        end = path.stat().st_size
        with path.open("rb") as file:
            while offset < end:
                size = _length(file, path, len(found) + 1, offset, end)
                found.append(Place(path, len(found) + 1, offset + HEAD, size))
                offset += HEAD + size + TAIL
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Copy it again.") from None
    if not found:
        raise UserError(f"{path} is empty. Unpack it from its archive again.")
    return found


def _length(file: BinaryIO, path: Path, number: int, offset: int, end: int) -> int:
    file.seek(offset)
    head = file.read(HEAD)
    if len(head) < HEAD:
        raise _damaged(path, number, "the file ends inside it")
    size, checksum = struct.unpack("<QI", head)
    if checksum != masked_checksum(head[:8]):
        raise _damaged(path, number, "the checksum of its length does not match")
    if size > LARGEST_RECORD:
        raise _damaged(path, number, f"it claims {size} bytes")
    if offset + HEAD + size + TAIL > end:
        raise _damaged(path, number, "the file ends inside it")
    return int(size)


def data(place: Place) -> bytes:
    """Return the data of a record.

    Raises:
        UserError: it does not match its checksum, or the file cannot be read.
    """
    try:
        with place.path.open("rb") as file:
            file.seek(place.offset)
            content = file.read(place.size)
            tail = file.read(TAIL)
    except OSError as error:
        raise UserError(f"{place.path} cannot be read ({error.strerror}). Copy it again.") from None
    if len(content) < place.size or len(tail) < TAIL:
        raise _damaged(place.path, place.number, "the file ends inside it")
    if struct.unpack("<I", tail)[0] != masked_checksum(content):
        raise _damaged(place.path, place.number, "its checksum does not match")
    return content


def features(place: Place) -> dict[str, Feature]:
    """Return the features of the example in a record by their names; unknown fields are skipped.

    Raises:
        UserError: the record is damaged or no tf.train.Example.
    """
    content = memoryview(data(place))
    try:
        return dict(_features(content))
    except ValueError as error:
        raise _damaged(place.path, place.number, f"it is no tf.train.Example ({error})") from None


def _features(message: memoryview) -> Iterator[tuple[str, Feature]]:
    # Example has Features as field 1; Features has entries of a map as field 1: key 1, value 2.
    for table in _messages(message, 1):
        for entry in _messages(table, 1):
            key, feature = b"", Feature((), numpy.empty(0, numpy.float32))
            for number, value in _fields(entry):
                if number == 1 and isinstance(value, memoryview):
                    key = bytes(value)
                elif number == 2 and isinstance(value, memoryview):
                    feature = _feature(value)
            yield key.decode("utf-8"), feature


def _feature(message: memoryview) -> Feature:
    # BytesList is field 1 and FloatList field 2; each has its values as field 1.
    texts = [bytes(text) for part in _messages(message, 1) for text in _messages(part, 1)]
    floats = [
        # One value, or all of them in one piece.
        numpy.frombuffer(value, "<f4")
        for part in _messages(message, 2)
        for number, value in _fields(part)
        if number == 1 and not isinstance(value, int)
    ]
    numbers = numpy.concatenate(floats) if floats else numpy.empty(0, numpy.float32)
    return Feature(tuple(texts), numbers.astype(numpy.float32))


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | bytes | memoryview]]:
    """Yield number and value of each field: an int, 4 or 8 bytes, or a part of the message."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == LENGTH:
            size, place = _varint(message, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if size > len(message) - place:
            raise ValueError("a field goes on beyond its end")
        piece = message[place : place + size]
        yield number, piece if kind == LENGTH else bytes(piece)
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return the number at a place, and the place after it."""
    value = 0
    for count, byte in enumerate(message[place : place + LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * count
        if not byte & 0x80:
            return value, place + count + 1
    raise ValueError("a number without an end")


def _damaged(path: Path, number: int, how: str) -> UserError:
    return UserError(
        f"{path} is damaged: record {number}: {how}. Copy it again, or unpack it from its archive "
        "again."
    )
