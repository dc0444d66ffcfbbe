"""A picture is shown as a player shows it, whichever of the eight ways the camera noted."""

import io
import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from foreframe.sources.reading import decoding
from tests.foreframe.sources import making

ONE = 1 << 16


def read(path: Path, height: int, width: int) -> NDArray[numpy.uint8]:
    return numpy.stack(list(decoding.read(path, height, width, 0.1)))


def placed(picture_HW3: NDArray[numpy.uint8], matrix: Sequence[int]) -> NDArray[numpy.uint8]:
    """Move each pixel of a picture to where a display matrix (a, b, c, d) takes it."""
    a, b, c, d = matrix
    rows, columns = numpy.indices(picture_HW3.shape[:2])
    x, y = a * columns + c * rows, b * columns + d * rows
    shown = numpy.empty((numpy.ptp(y) + 1, numpy.ptp(x) + 1, 3), numpy.uint8)
    shown[y - y.min(), x - x.min()] = picture_HW3
    return shown


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
@pytest.mark.parametrize(
    "matrix",
    [
        *((a, 0, 0, d) for a, d in itertools.product((1, -1), repeat=2)),
        *((0, b, c, 0) for b, c in itertools.product((1, -1), repeat=2)),
    ],
)
def test_each_display_matrix_is_followed(
    matrix: tuple[int, int, int, int], ending: str, tmp_path: Path
) -> None:
    frames = making.moving(3)
    # Not the usual codec: x264 now and then writes the same frames otherwise.
    plain = read(making.write(tmp_path / f"plain{ending}", frames, codec="mpeg4"), 48, 64)
    a, b, c, d = (number * ONE for number in matrix)
    whole = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = making.write(tmp_path / f"video{ending}", frames, codec="mpeg4", matrix=whole)
    expected = numpy.stack([placed(picture, matrix) for picture in plain])
    assert numpy.array_equal(read(path, *expected.shape[1:3]), expected)


def test_a_picture_is_cropped_as_it_is_shown(tmp_path: Path) -> None:
    # Stands 64 high and 48 wide: of a wide frame, its upper and lower parts are left out.
    path = making.write(
        tmp_path / "video.mp4", making.moving(3), matrix=(0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30)
    )
    whole = read(path, 64, 48)
    assert numpy.array_equal(read(path, 24, 48), whole[:, 20:44])


def photographed(path: Path, picture_HW3: NDArray[numpy.uint8], orientation: int) -> Path:
    """Write a video of JPEG pictures with the notes of a camera (EXIF), as cameras do."""
    notes = Image.Exif()
    notes[0x0112] = orientation
    jpeg = io.BytesIO()
    Image.fromarray(picture_HW3).save(jpeg, "JPEG", exif=notes, quality=95, subsampling=0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = picture_HW3.shape[:2]
        stream.pix_fmt = "yuvj444p"
        for number in range(2):
            packet = av.Packet(jpeg.getvalue())
            packet.pts = packet.dts = number
            packet.stream, packet.time_base = stream, Fraction(1, 10)
            container.mux(packet)
    path.with_suffix(".jpg").write_bytes(jpeg.getvalue())
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_notes_of_a_camera_are_followed(orientation: int, tmp_path: Path) -> None:
    path = photographed(tmp_path / "video.avi", making.moving(1)[0], orientation)
    with Image.open(path.with_suffix(".jpg")) as picture:
        expected = numpy.asarray(ImageOps.exif_transpose(picture)).astype(int)
    shown = read(path, *expected.shape[:2])
    assert numpy.abs(shown - expected).max() <= 2
