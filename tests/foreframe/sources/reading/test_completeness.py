"""A video that is whole is read whole, whenever it starts; one that is cut short is refused."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy
import pytest
from numpy.typing import NDArray
from PIL import Image

from foreframe.errors import UserError
from foreframe.sources.reading import decoding
from tests.foreframe.sources import making

RATE = 25
LENGTH = 20

# Milliseconds before the first picture, and whether there is sound from 0 on.
DELAYS = (0, 40, 100, 200, 400, 1000)
SOUND = {".mp4": "aac", ".mov": "aac", ".mkv": "pcm_s16le", ".webm": "libopus"}


def busy(count: int = LENGTH) -> NDArray[numpy.uint8]:
    """Return frames of noise below a strip whose grey is ten times their number."""
    rng = numpy.random.Generator(numpy.random.Philox(0))
    frames = rng.integers(0, 256, (count, 48, 32, 3), dtype=numpy.uint8)
    frames[:, :16] = 10 * numpy.arange(count, dtype=numpy.uint8).reshape(-1, 1, 1, 1)
    return frames


def numbers(path: Path) -> list[int]:
    """Return the numbers of the frames of `busy` that a file shows."""
    shown = decoding.read(path, 48, 32, 1 / RATE)
    return [round(float(frame[4:12, 4:-4].mean()) / 10) for frame in shown]


def sounding(seconds: float, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Yield silence in frames that the codec of a stream takes."""
    frame = av.AudioFrame.from_ndarray(
        numpy.zeros((1, round(seconds * 48000)), numpy.int16), format="s16", layout="mono"
    )
    frame.sample_rate, frame.pts = 48000, 0
    size = stream.codec_context.frame_size or 960
    resampler = av.AudioResampler(stream.codec_context.format.name, "mono", 48000, size)
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


def write(path: Path, delay: int, sound: float = 0) -> Path:
    """Write the frames of `busy` from `delay` ms on, beside so many seconds of sound from 0 on."""
    if path.suffix == ".avi":
        return write_avi(path, start=delay * RATE // 1000, sound=sound)
    codec, pixels = making.FORMATS[path.suffix]
    options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 32, pixels
        stream.codec_context.time_base = making.MILLISECOND
        if sound:
            silence = container.add_stream(SOUND[path.suffix], rate=48000)
            assert isinstance(silence, av.AudioStream)
            silence.codec_context.layout = "mono"
            for samples in sounding(sound, silence):
                container.mux(silence.encode(samples))
            container.mux(silence.encode(None))
        for number, frame in enumerate(busy()):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = delay + number * 1000 // RATE, making.MILLISECOND
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def write_avi(path: Path, start: int = 0, empty: int = 0, sound: float = 0) -> Path:
    """Write the frames of `busy` as AVI, as FFmpeg itself never does: with a late start.

    They start `start` frames late by the header of their stream, or after `empty` chunks without
    a picture; sound, 8000 numbers a second, comes before them.
    """
    length = LENGTH + empty

    def stream(kind: bytes, codec: bytes, timing: tuple[int, ...], form: bytes) -> bytes:
        header = struct.pack("<4s4s12x6I8x", kind, codec, *timing)
        return chunk(b"LIST", b"strl" + chunk(b"strh", header) + chunk(b"strf", form))

    # Scale, rate, start, length, size of the buffer, quality; then the format of a bitmap.
    bitmap = struct.pack("<IiiHH4s20x", 40, 32, 48, 1, 24, b"MJPG")
    streams = stream(b"vids", b"MJPG", (1, RATE, start, length, 0, 0), bitmap)
    samples = round(sound * 8000)
    if sound:
        streams += stream(
            b"auds",
            bytes(4),
            (1, 8000, 0, samples, 0, 0),
            struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8),
        )
    main = struct.pack("<I12xI4xII4xII16x", 1_000_000 // RATE, length, 0, 1 + bool(sound), 32, 48)
    chunks = [chunk(b"01wb", b"\x80" * samples)] * bool(sound) + [chunk(b"00dc", b"")] * empty
    for frame in busy():
        jpeg = io.BytesIO()
        Image.fromarray(frame).save(jpeg, "JPEG", quality=95)
        chunks.append(chunk(b"00dc", jpeg.getvalue()))
    heads = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + streams)
    path.write_bytes(chunk(b"RIFF", b"AVI " + heads + chunk(b"LIST", b"movi" + b"".join(chunks))))
    return path


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_a_late_start_is_no_missing_end(
    ending: str, delay: int, sound: bool, tmp_path: Path
) -> None:
    end = (delay + LENGTH * 1000 / RATE) / 1000
    path = write(tmp_path / f"video{ending}", delay, end * sound)
    with av.open(str(path)) as container:
        first = next(container.decode(container.streams.video[0]))
        assert first.time == pytest.approx(
            int(delay * RATE / 1000) / RATE if ending == ".avi" else delay / 1000
        )
    assert numbers(path) == list(range(LENGTH))


@pytest.mark.parametrize("empty", [1, 5, 25])
@pytest.mark.parametrize("sound", [0, 1.8])
def test_an_avi_may_start_with_chunks_that_hold_no_picture(
    empty: int, sound: float, tmp_path: Path
) -> None:
    path = write_avi(tmp_path / "video.avi", empty=empty, sound=sound)
    assert numbers(path) == list(range(LENGTH))
    with pytest.raises(UserError, match=r"video\.avi is damaged or cut short"):
        numbers(making.cut(path, 0.9))


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("delay", [40, 1000])
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_a_late_start_does_not_hide_a_missing_end(
    ending: str, delay: int, sound: bool, share: float, tmp_path: Path
) -> None:
    end = (delay + LENGTH * 1000 / RATE) / 1000
    path = write(tmp_path / f"video{ending}", delay, end * sound)
    with pytest.raises(UserError, match=rf"video\{ending} is damaged or cut short"):
        numbers(making.cut(path, share))


def unnoted(path: Path) -> Path:
    """Take from a Matroska file the notes of how long each stream is, as many programs do."""
    content = path.read_bytes()
    assert b"DURATION" in content
    path.write_bytes(content.replace(b"DURATION", b"NOTATION"))
    return path


@pytest.mark.parametrize("ending", [".mkv", ".webm"])
def test_sound_that_lasts_longer_is_no_missing_end(ending: str, tmp_path: Path) -> None:
    path = unnoted(write(tmp_path / f"video{ending}", 100, sound=3))
    assert numbers(path) == list(range(LENGTH))
    with pytest.raises(UserError, match="its end is missing"):
        numbers(making.cut(path, 0.95))


def test_a_length_may_be_counted_from_the_first_picture(tmp_path: Path) -> None:
    # So does mkvmerge; FFmpeg counts from 0.
    path = write(tmp_path / "video.mkv", 1000)
    content = path.read_bytes()
    assert b"00:00:01.800000000" in content
    path.write_bytes(content.replace(b"00:00:01.800000000", b"00:00:00.800000000"))
    assert numbers(path) == list(range(LENGTH))
    with pytest.raises(UserError, match="its end is missing"):
        numbers(making.cut(path, 0.95))


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF])
def test_an_avi_that_does_not_know_its_size_is_read(claimed: int, tmp_path: Path) -> None:
    path = write_avi(tmp_path / "video.avi")
    content = path.read_bytes()
    path.write_bytes(content[:4] + struct.pack("<I", claimed) + content[8:])
    assert numbers(path) == list(range(LENGTH))


def test_a_matroska_file_that_was_sent_while_it_was_recorded_is_read(tmp_path: Path) -> None:
    path = tmp_path / "video.webm"
    with av.open(str(path), "w", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 32, "yuv420p"
        for frame in busy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    assert b"\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff" in path.read_bytes()
    assert numbers(path) == list(range(LENGTH))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("ending", making.FORMATS)
def test_a_video_cut_short_is_refused(ending: str, share: float, tmp_path: Path) -> None:
    path = making.write(tmp_path / f"video{ending}", busy(), RATE)
    assert len(numbers(path)) == LENGTH
    with pytest.raises(UserError, match=f"video{ending}"):
        numbers(making.cut(path, share))


@pytest.mark.parametrize("ending", making.FORMATS)
def test_a_tail_of_rubbish_is_refused(ending: str, tmp_path: Path) -> None:
    path = making.write(tmp_path / f"video{ending}", busy(), RATE)
    assert len(numbers(path)) == LENGTH
    content = path.read_bytes()
    start = len(content) * 4 // 5
    rng = numpy.random.Generator(numpy.random.Philox(0))
    path.write_bytes(content[:start] + rng.bytes(len(content) - start))
    with pytest.raises(UserError, match=f"video{ending}"):
        numbers(path)
