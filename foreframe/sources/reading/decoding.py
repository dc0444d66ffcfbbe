"""Decoding one video file to frames of one size and one frame interval, in the memory of a few.

Files are written by others: whatever they hold, the answer is frames or a `UserError` that names
the file and the cure. A file cut short is refused, since part of a video is not the video.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy
from av.codec.context import CodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources.reading import colour, completeness, orientation
from foreframe.sources.reading.completeness import damaged, in_seconds
from foreframe.sources.reading.fitting import LARGEST_PICTURE, fit

# Kinds of files by what they hold, as FFmpeg names them; a playlist called .mp4 is none of them.
CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "gif")


# Codecs whose pictures are stored in another order than they are shown in.
REORDERED = ("h264", "hevc")


@dataclass(frozen=True)
class _Shot:
    """A decoded picture and the time it is shown at, in seconds."""

    time: Fraction
    picture: VideoFrame


def read(
    path: Path, height: int, width: int, frame_interval: float
) -> Iterator[NDArray[numpy.uint8]]:
    """Yield frames, uint8 (height, width, 3), RGB: at each time the source's nearest picture.

    Pictures are turned as the file says, cropped around their middle to the frame's shape and
    scaled; transparency is laid over black.

    Raises:
        UserError: the file is no video, is damaged or cut short, has no picture, or has high
            dynamic range.
    """
    # repr gives the decimal number that was asked for: 0.1 is 1/10 here, and no drift adds up.
    interval = Fraction(repr(frame_interval))
    with opening(path) as (container, stream):
        ratio = float(stream.sample_aspect_ratio or 1) or 1.0
        for shot in _resampled(_shots(path, container, stream), interval):
            yield fitted(shot.picture, height, width, ratio)


@contextlib.contextmanager
def opening(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Yield a video file, open for reading, and its first stream of pictures.

    Raises:
        UserError: the file is no video, has no picture or huge ones.
    """
    try:
        # Nothing but this one file is opened, whatever the file asks for.
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except FFmpegError as error:
        raise UserError(
            f"{path} cannot be read as a video ({error.strerror}). Remove it, or copy it again "
            "if it should be one."
        ) from None
    with container:
        if container.format.name not in CONTAINERS:
            raise UserError(
                f"{path} is no video but {container.format.long_name}. Remove it or convert it "
                f"to mp4."
            )
        if not container.streams.video:
            raise UserError(f"{path} has no picture. Remove it.")
        stream = container.streams.video[0]
        if stream.width * stream.height > LARGEST_PICTURE:
            raise UserError(
                f"{path} has pictures of {stream.width} x {stream.height} pixels. Make it smaller: "
                "ffmpeg -i OLD -vf scale=1280:-2 NEW.mp4"
            )
        stream.thread_type = "AUTO"
        yield container, stream


def _shots(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[_Shot]:
    """Yield all pictures in order of time, then look whether any are missing at the end."""
    first = last = end = None
    longest = Fraction(0)
    # AVI notes when pictures are decoded, not when they are shown; FFmpeg's guess at the latter
    # goes back and forth where H.264 reorders them.
    coded_order = container.format.name == "avi" and stream.codec_context.name in REORDERED
    for picture in _pictures(path, container, stream):
        check(path, picture, last)
        step = 1 / (stream.average_rate or Fraction(25))
        fallback = Fraction(0) if last is None else last + step
        ticks = picture.dts if coded_order else picture.pts
        time = fallback if ticks is None else in_seconds(stream, ticks)
        if last is not None and time <= last:
            # A picture that is replaced at once is never seen.
            continue
        if last is not None:
            longest = max(longest, time - last)
        first = time if first is None else first
        last, end = time, time + (in_seconds(stream, picture.duration) or step)
        yield _Shot(time, picture)
    if first is None or end is None:
        raise UserError(f"{path} has no frame. Remove it.")
    completeness.check(path, container, stream, first, end, longest)


def _pictures(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    decoder = _decoder(stream)
    try:
        for packet in container.demux(stream):
            # The last packet is empty and fetches the pictures still held back.
            yield from decoder.decode(packet if packet.size else None)
    except FFmpegError as error:
        raise damaged(path, f"it cannot be decoded ({error.strerror})") from None


def _decoder(stream: VideoStream) -> VideoCodecContext:
    if stream.metadata.get("alpha_mode") != "1":
        return stream.codec_context
    # FFmpeg's own decoders drop the transparency of VP8 and VP9.
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}[stream.codec_context.name]
    decoder = CodecContext.create(name, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = stream.codec_context.extradata
    return decoder


def check(path: Path, picture: VideoFrame, last: Fraction | None) -> None:
    """Refuse a picture that is incomplete, after the time `last` in s, or of unusable colours.

    Raises:
        UserError: names the file.
    """
    if picture.is_corrupt:
        raise damaged(path, f"a picture after {float(last or 0):.3g} s is incomplete")
    colour.check(path, picture)


def _resampled(shots: Iterator[_Shot], interval: Fraction) -> Iterator[_Shot]:
    """Yield at every multiple of `interval` after the first shot the one nearest in time."""
    start, number, gap, last = Fraction(0), 0, Fraction(0), None
    for shot in shots:
        if last is None:
            start = shot.time
        else:
            gap = shot.time - last.time
            while start + number * interval <= last.time + gap / 2:
                yield last
                number += 1
        last = shot
    # The last picture stands until half way to where the next would be.
    while last is not None and start + number * interval <= last.time + gap / 2:
        yield last
        number += 1


def fitted(picture: VideoFrame, height: int, width: int, ratio: float) -> NDArray[numpy.uint8]:
    """Return the middle as a frame, uint8 (height, width, 3); `ratio` as in `fitting.fit`."""
    way = orientation.of(picture)
    if way.transposed:
        height, width = width, height
    return way.shown(fit(colour.rgb(picture), height, width, ratio=ratio))
