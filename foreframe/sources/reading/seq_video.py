"""Reading the videos of Caltech Pedestrian: .seq files (Norpix) of JPEG pictures, one at a time.

A header of 1,024 bytes; then for each picture its length in four bytes, which it counts itself, the
picture, and a time stamp. All numbers are little-endian.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from foreframe.errors import UserError

HEADER = 1024
MAGIC = 0xFEED
JPEG_FORMATS = (102, 201)
JPEG_BEGINS = b"\xff\xd8"

# How long a time stamp may be, in bytes: it differs with the version of the writing program.
STAMPS = range(0, 33, 4)

LARGEST_PICTURE = 64 << 20


def pictures(path: Path) -> Iterator[bytes]:
    """Yield the pictures of a file as the bytes of JPEG files, in order of time.

    Raises:
        UserError: the file is no such video, has pictures of another kind, or is cut short.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            count = _count(file, path)
            place, stamp = HEADER, 0
            for number in range(count):
                picture = _picture(file, path, number, place)
                yield picture
                place += 4 + len(picture)
                if number == 0 and count > 1:
                    stamp = _stamp(file, path, place, size)
                place += stamp
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Copy it again.") from None


def _count(file: BinaryIO, path: Path) -> int:
    """Check the header and return how many pictures follow."""
    header = file.read(HEADER)
    if len(header) < HEADER or struct.unpack_from("<I", header)[0] != MAGIC:
        raise UserError(f"{path} is no .seq video. Unpack the dataset again.")
    _, _, _, _, _, form, count, _, _ = struct.unpack_from("<9I", header, 548)
    if form not in JPEG_FORMATS:
        raise UserError(f"{path} has pictures of the kind {form}; JPEG (102, 201) is read.")
    if count == 0:
        raise UserError(f"{path} has no pictures. Unpack the dataset again.")
    return int(count)


def _picture(file: BinaryIO, path: Path, number: int, place: int) -> bytes:
    file.seek(place)
    head = file.read(4)
    length = struct.unpack("<I", head)[0] - 4 if len(head) == 4 else 0
    if not 0 < length <= LARGEST_PICTURE:
        raise _cut(path, number)
    picture = file.read(length)
    if len(picture) < length or not picture.startswith(JPEG_BEGINS):
        raise _cut(path, number)
    return picture


def _stamp(file: BinaryIO, path: Path, place: int, size: int) -> int:
    """Return how many bytes lie between two pictures: so many that a picture follows."""
    for stamp in STAMPS:
        file.seek(place + stamp)
        head = file.read(6)
        if len(head) == 6 and head[4:] == JPEG_BEGINS:
            length = struct.unpack("<I", head[:4])[0]
            if 4 < length <= size - place - stamp:
                return stamp
    raise _cut(path, 1)


def _cut(path: Path, number: int) -> UserError:
    return UserError(
        f"{path} is damaged or cut short: picture {number + 1}. Unpack the dataset again."
    )
