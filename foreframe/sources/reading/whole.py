"""Telling in a moment, without decoding, whether a video or a picture was cut short.

It notices what an interrupted copy or a partly unpacked archive leaves behind. What is inside is
not looked at: the decoder does that when the frames are collected.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from foreframe.errors import UserError
from foreframe.sources.reading import seq_video

# How the first and the last bytes of a picture look.
PNG = (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")
JPEG = (b"\xff\xd8", b"\xff\xd9")

# How a Matroska file begins, and what follows its header.
EBML, SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"

# No file of the kinds read here has so many parts at its outermost level.
MOST_BOXES = 100_000


def problem(path: Path) -> str | None:
    """Return what is wrong with a file in words that follow its name, or None."""
    try:
        size = path.stat().st_size
        if size == 0:
            return "is empty"
        with path.open("rb") as file:
            return _cut(file, size, path.suffix.lower())
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _cut(file: BinaryIO, size: int, ending: str) -> str | None:
    if ending == ".png":
        return _framed(file, size, *PNG)
    if ending in (".jpg", ".jpeg"):
        return _framed(file, size, *JPEG)
    if ending == ".avi":
        return _riff(file, size)
    if ending in (".mkv", ".webm"):
        return _matroska(file, size)
    if ending in (".mp4", ".mov"):
        return _boxes(file, size)
    if ending == ".seq":
        return _seq(Path(file.name))
    return None


def _seq(path: Path) -> str | None:
    try:
        for _ in seq_video.pictures(path):
            pass
    except UserError:
        return "is cut short"
    return None


def _framed(file: BinaryIO, size: int, head: bytes, tail: bytes) -> str | None:
    if file.read(len(head)) != head:
        return "does not begin as its ending says"
    file.seek(max(0, size - len(tail) - 64))
    # Some programs append zeros or a line's end.
    return None if tail in file.read() else "is cut short"


def _riff(file: BinaryIO, size: int) -> str | None:
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"AVI ":
        return "does not begin as its ending says"
    file.seek(0)
    return None if size >= riff_size(file) else "is cut short"


def _matroska(file: BinaryIO, size: int) -> str | None:
    if file.read(len(EBML)) != EBML:
        return "does not begin as its ending says"
    file.seek(0)
    return None if size >= matroska_size(file) else "is cut short"


def riff_size(file: BinaryIO) -> int:
    """Return how many bytes an AVI file says it has at least, 0 if it does not say."""
    (claimed,) = struct.unpack("<4xI", file.read(8))
    # A program that was killed leaves one of these. Some count the eight bytes of the head.
    return 0 if claimed in (0, 0xFFFFFFFF) else int(claimed)


def matroska_size(file: BinaryIO) -> int:
    """Return how many bytes a Matroska or WebM file says it has at least.

    It is a header and a segment (RFC 8794, RFC 9559), each with its own length; that of a segment
    may be unknown.
    """
    file.seek(len(EBML))
    header = _length(file)
    segment = file.seek(file.tell() + header)
    if file.read(len(SEGMENT)) != SEGMENT:
        return segment + len(SEGMENT)
    content = _length(file)
    return file.tell() + content


def _length(file: BinaryIO) -> int:
    """Read a number whose first byte tells its length by its leading zeros; 0 if it is unknown."""
    first = file.read(1)
    more = 8 - first[0].bit_length() if first else 0
    largest = (1 << 7 * (more + 1)) - 1
    value = int.from_bytes(first + file.read(more), "big") & largest
    return 0 if value == largest else value


def _boxes(file: BinaryIO, size: int) -> str | None:
    """Walk over the outermost boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2)."""
    place, kinds = 0, set()
    for _ in range(MOST_BOXES):
        if place == size:
            break
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return "is cut short"
        length, kind = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        place = size if length == 0 else place + length
        if 0 < length < 8 or place > size:
            return "is cut short"
        kinds.add(kind)
    if not {b"moov", b"mdat"} <= kinds:
        return "lacks its index or its pictures"
    return None
