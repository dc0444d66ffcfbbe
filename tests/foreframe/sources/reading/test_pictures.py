"""One image becomes the frame that a video of it would give, or an error that names the file."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from foreframe.errors import UserError
from foreframe.sources.reading import decoding, pictures
from tests.foreframe.sources import making

LOSSLESS = {"PNG": {}, "BMP": {}, "PPM": {}, "WEBP": {"lossless": True, "exact": True}}


def busy(height: int, width: int, channels: int = 3) -> NDArray[numpy.uint8]:
    rng = numpy.random.Generator(numpy.random.Philox(0))
    return rng.integers(0, 256, (height, width, channels), dtype=numpy.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize("shape", [(40, 50), (37, 51), (8, 300), (300, 8)])
@pytest.mark.parametrize("size", [(40, 50), (16, 16), (64, 96), (9, 31)])
def test_an_image_gives_the_frame_of_a_lossless_video_of_it(
    shape: tuple[int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    frame = busy(*shape)
    Image.fromarray(frame).save(tmp_path / "image.png")
    video = making.write(tmp_path / "video.mkv", frame[None])
    (shown,) = decoding.read(video, *size, 0.1)
    assert numpy.array_equal(pictures.read(tmp_path / "image.png", *size), shown)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    frame = busy(30, 20)
    content = encoded(Image.fromarray(frame), kind, **LOSSLESS[kind])
    assert numpy.array_equal(pictures.decode(content), frame)


def test_jpeg_is_near() -> None:
    frame = making.moving(1)[0]
    content = encoded(Image.fromarray(frame), "JPEG", quality=95, subsampling=0)
    assert numpy.abs(pictures.decode(content).astype(int) - frame).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "RGBA"])
def test_equal_colours_are_equal_however_they_are_stored(mode: str) -> None:
    grey = (busy(16, 16, 1)[..., 0] > 127).astype(numpy.uint8) * 255
    image = Image.fromarray(grey).convert(mode)
    assert image.mode == mode
    expected = numpy.repeat(grey[..., None], 3, axis=2)
    assert numpy.array_equal(pictures.decode(encoded(image)), expected)


def test_transparency_lies_over_black() -> None:
    rgba = busy(16, 16, 4)
    expected = numpy.rint(rgba[..., :3].astype(float) * rgba[..., 3:] / 255)
    assert numpy.array_equal(pictures.decode(encoded(Image.fromarray(rgba))), expected)
    image = Image.fromarray(numpy.tile(numpy.array([[0, 1]], numpy.uint8), (2, 1)))
    image.putpalette([200, 100, 50, 10, 20, 30])
    shown = pictures.decode(encoded(image, transparency=0))
    assert shown.tolist() == [[[0, 0, 0], [10, 20, 30]]] * 2


# What a camera does before it notes an orientation, by the number that it notes (Exif 2.3, 4.6.4).
ORIENTATIONS: dict[int, Callable[[NDArray[numpy.uint8]], NDArray[numpy.uint8]]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: numpy.rot90(a, 1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: numpy.rot90(a, -1),
}


@pytest.mark.parametrize("number", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_camera_held_in_any_way_gives_an_upright_image(kind: str, number: int) -> None:
    upright = busy(12, 20)
    exif = Image.Exif()
    exif[0x0112] = number
    taken = numpy.ascontiguousarray(ORIENTATIONS[number](upright))
    content = encoded(Image.fromarray(taken), kind, exif=exif, **LOSSLESS[kind])
    assert numpy.array_equal(pictures.decode(content), upright)


def test_a_squeezed_image_keeps_its_edges() -> None:
    wide = numpy.zeros((20, 60, 3), numpy.uint8)
    wide[:, :20], wide[:, 40:] = 90, 210
    content = encoded(Image.fromarray(wide))
    assert (pictures.read(content, 20, 20) == 0).all()
    squeezed = pictures.read(content, 20, 30, crop="none")
    assert (squeezed[:, :9] == 90).all()
    assert (squeezed[:, -9:] == 210).all()


# Broken files -----------------------------------------------------------------------------------


def png(depth: int, colour: int, height: int, width: int, rows: bytes) -> bytes:
    """Write a PNG file by hand, of any depth and size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def animated(kind: str) -> bytes:
    first, second = (Image.fromarray(frame) for frame in making.moving(2))
    return encoded(first, kind, save_all=True, append_images=[second])


BAD = {
    "text": (b"this is no image\n" * 100, "is no image"),
    "empty": (b"", "is no image"),
    "a GIF": (encoded(Image.new("RGB", (8, 8)), "GIF"), "is no image"),
    "deep grey": (png(16, 0, 2, 2, bytes(10)), "more than 8 bits"),
    "deep colours": (png(16, 2, 2, 2, bytes(26)), "more than 8 bits"),
    "print colours": (encoded(Image.new("CMYK", (8, 8)), "JPEG"), "CMYK"),
    "an animated PNG": (animated("PNG"), "is an animation"),
    "an animated WebP": (animated("WEBP"), "is an animation"),
    "a bomb": (png(1, 0, 60_000, 60_000, bytes(1000)), "damaged"),
    "a smaller bomb": (png(1, 0, 9_000, 8_000, bytes(1000)), "9000 x 8000 pixels|8000 x 9000"),
    "fewer pixels": (png(8, 2, 9, 9, bytes(100)), "damaged or cut short"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_usable_image_is_named(what: str, tmp_path: Path) -> None:
    content, message = BAD[what]
    (tmp_path / "image7.png").write_bytes(content)
    with pytest.raises(UserError, match=rf"image7\.png .*({message})"):
        pictures.read(tmp_path / "image7.png", 16, 16)
    with pytest.raises(UserError, match=rf"record 3 .*({message})"):
        pictures.read(content, 16, 16, name="record 3")


def test_a_missing_and_a_huge_file_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"nowhere\.png cannot be read"):
        pictures.decode(tmp_path / "nowhere.png")
    (tmp_path / "huge.png").write_bytes(encoded(Image.new("RGB", (8, 8))))
    monkeypatch.setattr(pictures, "LARGEST_FILE", 10)
    with pytest.raises(UserError, match=r"huge\.png is larger"):
        pictures.decode(tmp_path / "huge.png")


WHOLE = {
    kind: encoded(Image.fromarray(busy(20, 30)), kind, **options)
    for kind, options in {**LOSSLESS, "JPEG": {}}.items()
}


@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True))
def test_an_image_cut_short_is_never_half_an_image(kind: str, share: float) -> None:
    whole = WHOLE[kind]
    try:
        shown = pictures.decode(whole[: int(share * len(whole))])
    except UserError:
        return
    # All pixels were there: what is missing is the mark of the end, or padding.
    assert numpy.array_equal(shown, pictures.decode(whole))
    assert (1 - share) * len(whole) < 6


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_image_is_an_image_or_named(kind: str, place: int, change: int) -> None:
    content = bytearray(WHOLE[kind])
    content[place % len(content)] ^= change
    try:
        shown = pictures.decode(bytes(content), "flipped")
    except UserError as error:
        assert "flipped" in str(error)
        return
    assert shown.dtype == numpy.uint8
    assert shown.shape[2] == 3
    if kind == "PNG":
        assert numpy.array_equal(shown, pictures.decode(WHOLE[kind]))
