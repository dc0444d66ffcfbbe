"""A stretch of a video file: the pictures at known times, found without decoding what comes before.

For files in which several recordings follow each other, and for those whose pictures have to be
exactly as many as the rows of numbers that belong to them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from foreframe.errors import UserError
from foreframe.sources.reading import completeness, decoding

# Seconds: a file is searched in the order in which pictures are decoded, not shown.
MARGIN = 1


@dataclass(frozen=True)
class Span:
    """`length` pictures of a video file, at the times start, start + step, ... in seconds.

    Attributes:
        path: the video file.
        start: the time of the first picture.
        step: from one picture to the next.
        length: the number of pictures.
        alone: whether the file ends with them.
    """

    path: Path
    start: Fraction
    step: Fraction
    length: int
    alone: bool


def pictures(span: Span) -> Iterator[tuple[VideoFrame, float]]:
    """Yield the picture at each time, and the width of its pixels to their height.

    Raises:
        UserError: the file is no video or damaged, a time has not exactly one picture within half a
            step, or pictures follow in a file that should end.
    """
    number = 0
    with decoding.opening(span.path) as (container, stream):
        ratio = float(stream.sample_aspect_ratio or 1) or 1.0
        for time, picture in _decoded(span.path, container, stream, span.start):
            late = time - span.start - number * span.step
            if number == 0 and late < -span.step / 2:
                continue
            if number == span.length:
                if span.alone:
                    raise _mismatch(span, "more")
                return
            if abs(late) > span.step / 2:
                raise completeness.damaged(
                    span.path, f"the picture {number} after {float(span.start):.4g} s is at "
                    f"{float(time):.4g} s, not at {float(time - late):.4g} s"
                )  # fmt: skip
            decoding.check(span.path, picture, time)
            yield picture, ratio
            number += 1
    if number < span.length:
        raise _mismatch(span, f"{number}")


def _mismatch(span: Span, found: str) -> UserError:
    return completeness.damaged(
        span.path, f"from {float(span.start):.4g} s on {span.length} pictures belong to the data, "
        f"but there are {found}"
    )  # fmt: skip


def _decoded(
    path: Path, container: InputContainer, stream: VideoStream, start: Fraction
) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Yield pictures and their times since the beginning, from a little before `start` on."""
    assert stream.time_base is not None, "an opened stream has a time base"
    beginning = stream.start_time or 0
    try:
        if start > MARGIN:
            container.seek(beginning + int((start - MARGIN) / stream.time_base), stream=stream)
        for picture in container.decode(stream):
            # Without a time a picture cannot be told from its neighbours.
            if picture.pts is not None:
                yield completeness.in_seconds(stream, picture.pts - beginning), picture
    except FFmpegError as error:
        raise completeness.damaged(path, f"it cannot be decoded ({error.strerror})") from None
