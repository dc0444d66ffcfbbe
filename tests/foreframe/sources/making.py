"""Small videos for the tests, written by PyAV as a user's programs would write them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy
from numpy.typing import NDArray

MILLISECOND = Fraction(1, 1000)

# Endings of a folder's videos, with a codec and a pixel format that people use in them.
FORMATS = {
    ".mp4": ("libx264", "yuv420p"),
    ".webm": ("libvpx-vp9", "yuv420p"),
    ".avi": ("mpeg4", "yuv420p"),
    ".gif": ("gif", "rgb8"),
    ".mkv": ("ffv1", "bgr0"),
    ".mov": ("libx264", "yuv420p"),
}


def write(
    path: Path,
    frames: NDArray[numpy.generic],
    rate: int = 10,
    codec: str | None = None,
    pixels: str | None = None,
    layout: str = "rgb24",
    times: Sequence[int] | None = None,
    matrix: Sequence[int] | None = None,
) -> Path:
    """Write frames at `rate` a second, or at `times` in milliseconds, and return the path.

    `matrix` is the nine numbers by which they are turned and mirrored when shown.
    """
    usual_codec, usual_pixels = FORMATS[path.suffix]
    options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec or usual_codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels or usual_pixels
        stream.set_display_matrix(matrix)
        if times is not None:
            stream.codec_context.time_base = MILLISECOND
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format=layout)
            if times is not None:
                picture.pts, picture.time_base = times[number], MILLISECOND
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def moving(count: int, height: int = 48, width: int = 64) -> NDArray[numpy.uint8]:
    """Return frames in which a bright bar moves to the right over a coloured ground."""
    frames_THW3 = numpy.zeros((count, height, width, 3), numpy.uint8)
    frames_THW3[..., 0] = 40
    frames_THW3[..., 2] = numpy.linspace(60, 160, height, dtype=numpy.uint8)[:, None]
    for number in range(count):
        left = number * 2 % (width - 8)
        frames_THW3[number, :, left : left + 8] = (220, 200, 60)
    return frames_THW3


def counting(count: int) -> NDArray[numpy.uint8]:
    """Return grey frames of 16 x 16 whose value is their number."""
    assert count <= 256
    values_T111 = numpy.arange(count, dtype=numpy.uint8).reshape(-1, 1, 1, 1)
    return numpy.broadcast_to(values_T111, (count, 16, 16, 3)).copy()


def cut(path: Path, share: float) -> Path:
    """Cut a file off after `share` of its bytes and return its path."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
