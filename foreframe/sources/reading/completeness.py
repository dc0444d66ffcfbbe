"""Telling whether the pictures of a video file end before the file says they do.

A file cut short still decodes, so nothing else would notice. Two things are compared: the bytes
that the file says it has, and the time at which its pictures say they end.
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from foreframe.errors import UserError
from foreframe.sources.reading import whole


def check(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    first: Fraction,
    end: Fraction,
    longest: Fraction,
) -> None:
    """Refuse a file that ends too early.

    Args:
        path: the file.
        container: the file, opened.
        stream: its pictures.
        first: the time of the first picture, in s.
        end: the time at which the last picture ends, in s.
        longest: the longest time from one picture to the next, in s.

    Raises:
        UserError: names the file.
    """
    if _bytes_missing(path, container.format.name):
        raise damaged(path, "its end is missing")
    # MP4 counts from the first picture; Matroska and AVI count from 0, whenever that is.
    start = first if container.format.name.startswith("mov") else min(first, Fraction(0))
    # A cut made in a video editor shortens one of these alone, so all have to agree.
    declared = min(_declared(container, stream), default=Fraction(0))
    if end - start < declared - longest * Fraction(3, 4) - Fraction(1, 200):
        raise damaged(
            path, f"it says {float(declared):.4g} s but ends after {float(end - start):.4g} s"
        )


def _bytes_missing(path: Path, kind: str) -> bool:
    """Tell whether a file is shorter than it says. FFmpeg itself finds out about MP4."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if kind == "gif":
            # Some programs append zeros.
            file.seek(-min(1024, size), os.SEEK_END)
            return not file.read().rstrip(b"\0").endswith(b";")
        if kind == "avi":
            return size < whole.riff_size(file)
        if kind.startswith("matroska"):
            return size < whole.matroska_size(file)
    return False


def _declared(container: InputContainer, stream: VideoStream) -> Iterator[Fraction]:
    """Yield the durations in seconds that the file claims for its pictures."""
    own = True
    if stream.duration:
        yield in_seconds(stream, stream.duration)
    elif text := stream.metadata.get("DURATION"):
        hours, minutes, seconds = text.split(":")
        yield (int(hours) * 60 + int(minutes)) * 60 + Fraction(seconds)
    else:
        own = False
    # The duration of the whole file is that of its longest stream, which may be its sound.
    if container.duration and (own or len(container.streams) == 1):
        yield Fraction(container.duration, av.time_base)


def in_seconds(stream: VideoStream, ticks: int) -> Fraction:
    """Return a time of a stream, in ticks of its clock, in seconds."""
    assert stream.time_base is not None, "a demuxed stream has a time base"
    return ticks * stream.time_base


def damaged(path: Path, how: str) -> UserError:
    """Return the error for a file of which a part is missing or wrong."""
    return UserError(
        f"{path} is damaged or cut short: {how}. Copy it again, remove it, or keep what is left: "
        "ffmpeg -i OLD NEW.mp4"
    )
