"""Writing a video file for people to watch; artefacts that a stage reads are never videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy
from numpy.typing import NDArray

from foreframe.artefacts import atomic
from foreframe.errors import UserError


@dataclass(frozen=True)
class Format:
    """How PyAV writes one kind of file."""

    container: str
    codec: str
    pixels: str
    options: dict[str, str]


# x264's macroblock tree reads memory that it has not written where frames are narrow (seen on 48
# and 64 columns): every tenth file differed by some bytes. Without it 400 of 400 were equal.
X264 = {"crf": "16", "threads": "1", "mbtree": "0"}
FORMATS = {
    ".mp4": Format("mp4", "libx264", "yuv420p", X264),
    ".webm": Format("webm", "libvpx-vp9", "yuv420p", {"crf": "20", "b": "0", "threads": "1"}),
    ".gif": Format("gif", "gif", "rgb8", {}),
}


def check_name(path: Path) -> None:
    """Refuse a file name whose ending names no format that can be written.

    Raises:
        UserError: the ending is not one of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: name it with one of the endings {', '.join(FORMATS)}.")


def write(path: Path, frames_THWC: NDArray[numpy.uint8], frame_interval: float) -> None:
    """Write frames, uint8 (T, H, W, 3) with even H and W, `frame_interval` seconds apart.

    Raises:
        UserError: the file's ending names no format, or the file cannot be written.
    """
    check_name(path)
    chosen = FORMATS[path.suffix.lower()]
    rate = Fraction(1 / frame_interval).limit_denominator(1000)
    with atomic.writing(path) as temporary:
        # The temporary name hides the ending, so the format is named.
        # Without bitexact a webm file carries a random number.
        exact = {"fflags": "+bitexact"}
        with av.open(str(temporary), "w", format=chosen.container, options=exact) as container:
            stream = container.add_stream(chosen.codec, rate=rate, options=chosen.options)
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = frames_THWC.shape[1:3]
            stream.pix_fmt = chosen.pixels
            for frame in frames_THWC:
                image = av.VideoFrame.from_ndarray(numpy.ascontiguousarray(frame), format="rgb24")
                container.mux(stream.encode(image))
            container.mux(stream.encode())


def enlarge(frames_THWC: NDArray[numpy.uint8], smallest_side: int) -> NDArray[numpy.uint8]:
    """Repeat pixels a whole number of times until both sides have `smallest_side` or more."""
    factor = max(1, -(-smallest_side // min(frames_THWC.shape[1:3])))
    return frames_THWC.repeat(factor, axis=1).repeat(factor, axis=2)


def beside(panels: Sequence[NDArray[numpy.uint8]], gap: int) -> NDArray[numpy.uint8]:
    """Put clips of equal shape (T, H, W, 3) side by side, `gap` white pixels apart."""
    white = numpy.full((*panels[0].shape[:2], gap, 3), 255, numpy.uint8)
    parts = [part for panel in panels for part in (white, panel)][1:]
    return numpy.concatenate(parts, axis=2)
