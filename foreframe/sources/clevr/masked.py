"""CLEVR with masks: pictures and the mask of each object, in one packed TFRecord file.

A record is a tf.train.Example whose pictures have a string for each byte (Kabra et al. 2019), a
million of them: those are not read one by one. The file is packed as a whole, so that it can only
be read from its beginning.

Shapes: E entities, the first of which is the ground; H rows, W columns.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources.reading.tfrecords import (
    HEAD,
    LARGEST_RECORD,
    TAIL,
    masked_checksum,
)

ENTITIES, HEIGHT, WIDTH = 11, 240, 320
PACKED = b"\x1f\x8b"
# A string of one byte as field 1 of a list: its tag, its length, and the byte.
ONE_BYTE = (0x0A, 0x01)
# How Protocol Buffers tags what is nested in a message as its field 1 or 2.
FIRST, SECOND = 0x0A, 0x12

Bytes = NDArray[numpy.uint8]


@dataclass(frozen=True)
class Masked:
    """A picture, uint8 (H,W,3), and the entity of each pixel, int64 (H,W)."""

    picture: Bytes
    entities: NDArray[numpy.int64]


def records(path: Path) -> Iterator[Mapping[bytes, memoryview]]:
    """Yield the features of each record by name, in the order of the file, not yet decoded.

    Raises:
        UserError: the file cannot be read, is cut short or damaged, or holds something else.
    """
    number = 0
    try:
        with path.open("rb") as file:
            packed = file.read(len(PACKED)) == PACKED
        with gzip.open(path) if packed else path.open("rb") as file:
            while head := file.read(HEAD):
                number += 1
                yield _features(path, number, memoryview(_data(path, number, file, head)))
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, number + 1, f"the file cannot be read ({error})") from None
    if not number:
        raise UserError(f"{path} is empty. Download it again.")


def objects(path: Path, number: int, features: Mapping[bytes, memoryview]) -> int:
    """Return how many objects a picture has, by its annotation."""
    visible_E = _numbers(features.get(b"visibility"))
    if len(visible_E) != ENTITIES:
        raise _unexpected(path, number, "visibility", f"{ENTITIES} numbers")
    return int((visible_E[1:] > 0).sum())


def masked(path: Path, number: int, features: Mapping[bytes, memoryview]) -> Masked:
    """Return what a record shows.

    Raises:
        UserError: it is not of CLEVR with masks.
    """
    picture = _bytes(path, number, features, "image", (HEIGHT, WIDTH, 3))
    masks_EHW = _bytes(path, number, features, "mask", (ENTITIES, HEIGHT, WIDTH))
    return Masked(picture, masks_EHW.argmax(axis=0))


def _data(path: Path, number: int, file: IO[bytes] | gzip.GzipFile, head: bytes) -> bytes:
    if len(head) < HEAD:
        raise _damaged(path, number, "the file ends inside it")
    size, checksum = struct.unpack("<QI", head)
    if checksum != masked_checksum(head[:8]) or size > LARGEST_RECORD:
        raise _damaged(path, number, "the checksum of its length does not match")
    content, tail = file.read(size), file.read(TAIL)
    if len(content) < size or len(tail) < TAIL:
        raise _damaged(path, number, "the file ends inside it")
    if struct.unpack("<I", tail)[0] != masked_checksum(content):
        raise _damaged(path, number, "its checksum does not match")
    return content


def _features(path: Path, number: int, example: memoryview) -> dict[bytes, memoryview]:
    """Return the features of an example by name: each is a list, of field 1 or 2, by itself."""
    found = {}
    try:
        for _, table in _nested(example):
            for _, entry in _nested(table):
                parts = dict(_nested(entry))
                ((_, feature),) = _nested(parts[SECOND])
                found[bytes(parts[FIRST])] = feature
    except (ValueError, KeyError, IndexError):
        raise _damaged(path, number, "it is no tf.train.Example") from None
    return found


def _nested(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield tag and content of each field, all of which hold bytes."""
    place = 0
    while place < len(message):
        tag, size, shift = message[place], 0, 0
        if tag & 7 != 2:
            raise ValueError(tag)
        while True:
            place += 1
            size |= (message[place] & 0x7F) << shift
            shift += 7
            if not message[place] & 0x80:
                break
        place += 1
        if place + size > len(message):
            raise ValueError(size)
        yield tag, message[place : place + size]
        place += size


def _bytes(
    path: Path,
    number: int,
    features: Mapping[bytes, memoryview],
    name: str,
    shape: tuple[int, ...],
) -> Bytes:
    """Return a feature as an array: of strings of one byte each, or of one string of all."""
    count = int(numpy.prod(shape))
    content = features.get(name.encode(), memoryview(b""))
    if len(content) == 3 * count:
        rows = numpy.frombuffer(content, numpy.uint8).reshape(count, 3)
        if (rows[:, :2] == ONE_BYTE).all():
            return rows[:, 2].reshape(shape)
    elif len(content) > count:
        pieces = [piece for _, piece in _nested(content)]
        if [len(piece) for piece in pieces] == [count]:
            return numpy.frombuffer(pieces[0], numpy.uint8).reshape(shape)
    raise _unexpected(path, number, name, f"{' x '.join(map(str, shape))} bytes")


def _numbers(feature: memoryview | None) -> NDArray[numpy.float32]:
    """Return the numbers of a list of floats, which lie in one piece."""
    pieces = [] if feature is None else [piece for _, piece in _nested(feature)]
    if len(pieces) != 1 or len(pieces[0]) % 4:
        return numpy.empty(0, numpy.float32)
    return numpy.frombuffer(pieces[0], "<f4").astype(numpy.float32)


def _damaged(path: Path, number: int, how: str) -> UserError:
    return UserError(f"{path} is damaged: record {number}: {how}. Download it again.")


def _unexpected(path: Path, number: int, name: str, what: str) -> UserError:
    return UserError(
        f"{path}: record {number}: {name} is not {what}. This is not the file of CLEVR with masks "
        "(multi-object datasets); put that one there."
    )
