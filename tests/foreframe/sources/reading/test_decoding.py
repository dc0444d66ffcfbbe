"""Every kind of video becomes frames of one size and rate, or an error that names the file."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy
import pytest
from av.video.frame import PictureType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources.reading import decoding
from tests.foreframe.sources import making


def read(
    path: Path, height: int = 48, width: int = 64, interval: float = 0.1
) -> NDArray[numpy.uint8]:
    return numpy.stack(list(decoding.read(path, height, width, interval)))


def numbers(path: Path, interval: float) -> list[int]:
    """Return which of `making.counting`'s frames were chosen."""
    return [int(value) for value in read(path, 16, 16, interval).mean(axis=(1, 2, 3)).round()]


@pytest.mark.parametrize("ending", making.FORMATS)
def test_each_format_shows_its_frames(ending: str, tmp_path: Path) -> None:
    frames = making.moving(25)
    shown = read(making.write(tmp_path / f"video{ending}", frames))
    assert shown.shape == frames.shape
    # A GIF has three bits for red and green, and two for blue.
    assert numpy.abs(shown.astype(float) - frames).mean() < (20 if ending == ".gif" else 5)


def test_lossless_frames_come_out_unchanged(tmp_path: Path) -> None:
    frames = making.moving(5)
    assert numpy.array_equal(read(making.write(tmp_path / "video.mkv", frames)), frames)


@pytest.mark.parametrize(
    ("rate", "interval", "expected"),
    [
        (10, 0.1, range(20)),
        (30, 0.1, range(0, 20, 3)),
        (25, 0.1, [0, 2, 5, 7, 10, 12, 15, 17]),
        (5, 0.1, [number // 2 for number in range(40)]),
        (10, 0.5, range(0, 20, 5)),
    ],
)
def test_a_constant_rate_is_resampled(
    rate: int, interval: float, expected: list[int], tmp_path: Path
) -> None:
    path = making.write(tmp_path / "video.mov", making.counting(20), rate, "png", "rgb24")
    chosen = numbers(path, interval)
    assert len(chosen) in (len(list(expected)), len(list(expected)) - 1)
    assert all(one == two for one, two in zip(chosen, expected, strict=False))


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.integers(1, 400), min_size=1, max_size=12),
    milliseconds=st.sampled_from([20, 50, 100, 330]),
)
def test_a_variable_rate_gives_the_nearest_frame(
    steps: list[int], milliseconds: int, tmp_path: Path
) -> None:
    times = [0, *itertools.accumulate(steps)]
    path = making.write(tmp_path / "video.mkv", making.counting(len(times)), 1000, times=times)
    end = times[-1] + Fraction(steps[-1], 2)
    wanted = itertools.takewhile(lambda time: time <= end, itertools.count(0, milliseconds))
    nearest = [min(range(len(times)), key=lambda n: abs(times[n] - time)) for time in wanted]
    assert numbers(path, milliseconds / 1000) == nearest


def test_frames_are_cropped_around_the_middle_and_keep_their_shape(tmp_path: Path) -> None:
    wide = numpy.zeros((1, 40, 120, 3), numpy.uint8)
    wide[:, :, 40:80] = 200
    path = making.write(tmp_path / "video.mkv", wide)
    assert (read(path, 40, 40) == 200).all()
    assert (read(path, 20, 20) == 200).all()
    left, right = numpy.split(read(path, 20, 40)[0], 2, axis=1)
    assert numpy.array_equal(left, right[:, ::-1])
    assert left.min() == 0


def test_a_tall_picture_is_cropped_around_its_middle(tmp_path: Path) -> None:
    rows = numpy.arange(0, 240, 2, dtype=numpy.uint8).reshape(1, 120, 1, 1)
    path = making.write(tmp_path / "video.mkv", numpy.broadcast_to(rows, (1, 120, 40, 3)).copy())
    assert read(path, 40, 40)[0, :, 0, 0].tolist() == list(range(80, 160, 2))
    assert read(path, 60, 40)[0, :, 0, 0].tolist() == list(range(60, 180, 2))


def test_scaling_down_averages_instead_of_picking(tmp_path: Path) -> None:
    checks = numpy.indices((1, 64, 64)).sum(axis=0) % 2 * 255
    board = numpy.repeat(checks[..., None], 3, axis=-1).astype(numpy.uint8)
    small = read(making.write(tmp_path / "video.mkv", board), 16, 16)
    assert numpy.abs(small.astype(int) - 127).max() <= 2


def test_reordered_pictures_of_an_avi_come_in_order(tmp_path: Path) -> None:
    # AVI does not note when pictures are shown, and x264 stores them in another order.
    frames = making.moving(20)
    path = making.write(tmp_path / "video.avi", frames, codec="libx264")
    with av.open(str(path)) as container:
        kinds = {picture.pict_type for picture in container.decode(video=0)}
    assert PictureType.B in kinds
    errors = numpy.abs(read(path).astype(int)[:, None] - frames).mean(axis=(2, 3, 4))
    assert errors.argmin(axis=1).tolist() == list(range(20))


def test_grey_becomes_equal_channels(tmp_path: Path) -> None:
    path = making.write(tmp_path / "video.mkv", making.moving(3), codec="ffv1", pixels="gray")
    shown = read(path)
    assert (shown == shown[..., :1]).all()
    assert shown.std() > 20


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "error"),
    [
        ("video.mov", "png", "rgba", 0),
        ("video.mkv", "ffv1", "bgra", 0),
        ("video.webm", "libvpx-vp9", "yuva420p", 6),
    ],
)
def test_transparency_lies_over_black(
    name: str, codec: str, pixels: str, error: int, tmp_path: Path
) -> None:
    frames = numpy.zeros((3, 32, 48, 4), numpy.uint8)
    frames[..., :3] = (200, 100, 50)
    frames[:, :, 16:32, 3] = 128
    frames[:, :, 32:, 3] = 255
    path = making.write(tmp_path / name, frames, 10, codec, pixels, layout="rgba")
    clear, half, opaque = numpy.split(read(path, 32, 48).astype(int), 3, axis=2)
    inside = numpy.s_[:, 4:-4, 4:-4]
    assert numpy.abs(clear[inside]).max() <= error
    assert numpy.abs(half[inside] - (100, 50, 25)).max() <= error + 1
    assert numpy.abs(opaque[inside] - (200, 100, 50)).max() <= error


@pytest.mark.parametrize("ratio", [Fraction(2), Fraction(4, 3), Fraction(3, 4), Fraction(1, 2)])
def test_pixels_that_are_no_squares_are_shown_as_they_are(ratio: Fraction, tmp_path: Path) -> None:
    path = tmp_path / "video.mov"
    # Red counts the columns, green the rows.
    columns, rows = numpy.meshgrid(numpy.arange(48), numpy.arange(48))
    frame = numpy.stack([columns, rows, 0 * rows], axis=-1).astype(numpy.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 48, "rgb24"
        stream.codec_context.sample_aspect_ratio = ratio
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    # A square of what is shown: all rows and the middle columns, or the other way round.
    wide, high = min(48, round(48 / ratio)), min(48, round(48 * ratio))
    left, top = (48 - wide) // 2, (48 - high) // 2
    # As many pixels as there are: nothing is scaled one way, and the other has both ends.
    shown = read(path, 48, 48)[0].astype(int)
    ends = [shown[0, 0, :2], shown[-1, -1, :2]]
    wanted = [(left, top), (left + wide - 1, top + high - 1)]
    assert numpy.abs(numpy.array(ends) - wanted).max() <= 1


@pytest.mark.parametrize("ending", [".mkv", ".avi", ".gif"])
def test_odd_sizes_are_read_whole(ending: str, tmp_path: Path) -> None:
    frames = making.moving(6, 37, 51)
    path = making.write(tmp_path / f"video{ending}", frames)
    shown = read(path, 37, 51)
    assert shown.shape == frames.shape
    assert numpy.abs(shown.astype(float) - frames).mean() < (20 if ending == ".gif" else 5)
    assert read(path, 64, 64).shape == (6, 64, 64, 3)


@pytest.mark.parametrize("ending", making.FORMATS)
def test_a_video_of_one_frame_gives_one(ending: str, tmp_path: Path) -> None:
    frames = making.moving(1)
    shown = read(making.write(tmp_path / f"video{ending}", frames))
    assert shown.shape == frames.shape
    assert numpy.abs(shown.astype(float) - frames).mean() < (20 if ending == ".gif" else 5)


# Broken files -----------------------------------------------------------------------------------


def text(path: Path) -> Path:
    path.write_text("this is no video\n" * 100)
    return path


def playlist(path: Path) -> Path:
    other = making.write(path.with_name("other.mkv"), making.moving(5))
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")
    return path


def noise(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * 64)
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def missing(path: Path) -> Path:
    return path


def without_frames(path: Path) -> Path:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "bgr0"
        container.start_encoding()
    return path


def sound_alone(path: Path) -> Path:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            numpy.zeros((1, 800), numpy.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (text, "cannot be read as a video"),
        (playlist, "cannot be read as a video|is no video"),
        (noise, "cannot be read as a video|no picture|no video"),
        (empty, "cannot be read as a video"),
        (missing, "cannot be read as a video"),
        (without_frames, "has no frame|cannot be read"),
        (sound_alone, "has no picture"),
    ],
)
def test_what_is_no_usable_video_is_named(
    make: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    path = make(tmp_path / "video.mp4")
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert "video.mp4" in str(caught.value)


def test_a_huge_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = making.write(tmp_path / "video.mkv", making.moving(2))
    monkeypatch.setattr(decoding, "LARGEST_PICTURE", 48 * 64 - 1)
    with pytest.raises(UserError, match="64 x 48 pixels"):
        read(path)
