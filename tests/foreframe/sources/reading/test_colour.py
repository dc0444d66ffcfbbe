"""Known colours come back from every matrix, range and depth; what has no agreed RGB is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy
import pytest
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources.reading import colour, decoding
from tests.foreframe.sources import making

# Shares of red and blue in luma, by the number of the matrix in ITU-T H.273, table 4.
SHARES: Mapping[int, tuple[float, float]] = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
BT601, BT709, BT2020 = 6, 1, 9
YCGCO, UNSPECIFIED = 8, 2
LIMITED, FULL = 1, 2
PQ, HLG = 16, 18

# 64 colours between black and white, each a square of this many pixels.
COLOURS = numpy.stack(numpy.meshgrid(*[[0.0, 85.0, 170.0, 255.0]] * 3), axis=-1).reshape(8, 8, 3)
SIDE = 8

LOSSLESS = {
    "ffv1": {},
    "libvpx-vp9": {"lossless": "1"},
    "libx264": {"qp": "0"},
    "libx265": {"x265-params": "lossless=1:bframes=0:log-level=none"},
}


@dataclass(frozen=True)
class Tags:
    """What a file says of its colours."""

    matrix: int
    range: int
    transfer: int = UNSPECIFIED
    primaries: int = UNSPECIFIED


def coded(
    rgb: NDArray[numpy.float64], matrix: int, range_: int, bits: int
) -> NDArray[numpy.uint16]:
    """Return colours (..., 3) of 0 to 255 as luma and differences (H.273, equations 20 to 40)."""
    red_share, blue_share = SHARES[matrix]
    red, green, blue = (rgb[..., channel] / 255 for channel in range(3))
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    by_blue, by_red = (blue - luma) / 2 / (1 - blue_share), (red - luma) / 2 / (1 - red_share)
    most, step = 2**bits - 1, 2 ** (bits - 8)
    black, white, swing = (
        (16 * step, 219 * step, 224 * step) if range_ == LIMITED else (0, most, most)
    )
    numbers = (luma * white + black, *(part * swing + 128 * step for part in (by_blue, by_red)))
    return numpy.clip(numpy.stack(numbers).round(), 0, most).astype(numpy.uint16)


def write(
    path: Path,
    planes: NDArray[numpy.uint16],
    tags: Tags,
    codec: str = "ffv1",
    pixels: str = "yuv444p",
    side: int = SIDE,
) -> Path:
    """Write two pictures whose planes (3, rows, columns) are squares of `side` pixels, lossless."""
    kind = av.VideoFormat(pixels, 16, 16)
    deep = kind.components[0].bits > 8
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=LOSSLESS[codec])
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = (length * side for length in planes.shape[1:])
        stream.pix_fmt = pixels
        context = stream.codec_context
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_trc, context.color_primaries = tags.transfer, tags.primaries
        for _ in range(2):
            picture = av.VideoFrame(stream.width, stream.height, pixels)
            for plane, values in zip(picture.planes, planes, strict=True):
                square = numpy.ones((side * plane.height // stream.height,
                                     side * plane.width // stream.width), int)  # fmt: skip
                form = numpy.uint16 if deep else numpy.uint8
                rows = numpy.zeros((plane.height, plane.line_size // (1 + deep)), form)
                rows[:, : plane.width] = numpy.kron(values, square)
                plane.update(rows.tobytes())
            picture.colorspace, picture.color_range = tags.matrix, tags.range
            picture.color_trc, picture.color_primaries = tags.transfer, tags.primaries
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def shown(path: Path, rows: int = 8, columns: int = 8, side: int = SIDE) -> NDArray[numpy.int64]:
    """Return the colour in the middle of each square of a file, (rows, columns, 3)."""
    frame = next(iter(decoding.read(path, rows * side, columns * side, 0.1)))
    return frame[side // 2 :: side, side // 2 :: side].astype(int)


def worst(found: NDArray[numpy.int64], wanted: NDArray[numpy.float64]) -> int:
    return int(numpy.abs(found - wanted).max())


# Lossless ways to keep colours, with as many differences as luma or, as phones do, a quarter.
WAYS = [
    (".mkv", "ffv1", "yuv444p"),
    (".mp4", "libx264", "yuv444p"),
    (".mp4", "libx264", "yuv420p"),
    (".webm", "libvpx-vp9", "yuv444p"),
    (".mkv", "ffv1", "yuv444p10le"),
    (".mov", "libx264", "yuv420p10le"),
    (".mp4", "libx265", "yuv420p10le"),
    (".mp4", "libx265", "yuv444p12le"),
]


@pytest.mark.parametrize("range_", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [BT601, BT709, BT2020])
@pytest.mark.parametrize(("ending", "codec", "pixels"), WAYS)
def test_known_colours_come_back(
    ending: str, codec: str, pixels: str, matrix: int, range_: int, tmp_path: Path
) -> None:
    bits = av.VideoFormat(pixels, 16, 16).components[0].bits
    planes = coded(COLOURS, matrix, range_, bits)
    # An SDR curve, and the primaries that belong to the matrix and are numbered as it is.
    tags = Tags(matrix, range_, transfer=14 if matrix == BT2020 else 1, primaries=matrix)
    path = write(tmp_path / f"video{ending}", planes, tags, codec, pixels)
    # Rounding to 8 bits of luma and differences costs a level, to 10 none. The matrices are 13 to
    # 40 levels apart.
    assert worst(shown(path), COLOURS) <= (1 if bits == 8 else 0)


@pytest.mark.parametrize("matrix", SHARES)
def test_each_matrix_that_is_named_is_used(matrix: int, tmp_path: Path) -> None:
    planes = coded(COLOURS, matrix, LIMITED, 10)
    path = write(tmp_path / "video.mkv", planes, Tags(matrix, LIMITED), pixels="yuv444p10le")
    assert worst(shown(path), COLOURS) == 0


@pytest.mark.parametrize(
    ("rows", "columns", "matrix"),
    [
        (8, 8, BT601),
        (72, 8, BT601),
        (8, 159, BT601),
        (90, 8, BT709),
        (73, 8, BT709),
        (8, 160, BT709),
    ],
)
@pytest.mark.parametrize("unnamed", [UNSPECIFIED, 0])
def test_large_pictures_without_a_matrix_are_high_definition(
    rows: int, columns: int, matrix: int, unnamed: int, tmp_path: Path
) -> None:
    colours = numpy.resize(COLOURS, (rows, columns, 3))
    path = tmp_path / "video.mkv"
    write(path, coded(colours, matrix, LIMITED, 8), Tags(unnamed, LIMITED))
    assert worst(shown(path, rows, columns), colours) <= 1


@pytest.mark.parametrize("range_", [LIMITED, FULL])
def test_deep_colours_are_rounded_and_not_cut_off(range_: int, tmp_path: Path) -> None:
    levels = numpy.arange(1024).reshape(32, 32)
    planes = numpy.stack([levels, *[numpy.full_like(levels, 512)] * 2]).astype(numpy.uint16)
    path = write(tmp_path / "v.mkv", planes, Tags(BT709, range_), pixels="yuv444p10le")
    exact = levels / 1023 * 255 if range_ == FULL else (levels - 64) / 876 * 255
    error = shown(path, 32, 32) - numpy.clip(exact, 0, 255)[..., None]
    assert numpy.abs(error).max() <= 0.51


@pytest.mark.parametrize(
    ("ending", "codec", "layout"),
    [
        (".mkv", "ffv1", "gray10le"),
        (".mkv", "ffv1", "gray16le"),
        (".mkv", "ffv1", "rgb48le"),
        (".mov", "png", "rgb48be"),
    ],
)
def test_deep_grey_and_rgb_are_rounded(
    ending: str, codec: str, layout: str, tmp_path: Path
) -> None:
    kind = av.VideoFormat(layout, 32, 32)
    most = 2 ** kind.components[0].bits - 1
    levels = numpy.linspace(0, most, 1024).round().astype(numpy.uint16).reshape(1, 32, 32)
    frames = numpy.stack([levels] * 3, axis=-1) if kind.is_rgb else levels
    path = making.write(tmp_path / f"video{ending}", frames, 10, codec, layout, layout)
    found = shown(path, 32, 32, side=1)
    assert worst(found, (levels[0] / most * 255).round()[..., None]) == 0


def test_deep_transparency_lies_over_black(tmp_path: Path) -> None:
    frames = numpy.zeros((1, 2, 16, 4), numpy.uint16)
    frames[..., :3], frames[..., 3] = (51400, 25700, 12850), numpy.linspace(0, 65535, 16)
    path = making.write(tmp_path / "video.mkv", frames, 10, "ffv1", "rgba64le", "rgba64le")
    wanted = numpy.linspace(0, 1, 16)[:, None] * (200, 100, 50)
    assert worst(shown(path, 2, 16, side=1), wanted) <= 1


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "libx265"), (".mkv", "ffv1")])
@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_high_dynamic_range_is_refused(
    transfer: int, name: str, ending: str, codec: str, tmp_path: Path
) -> None:
    planes = coded(COLOURS, BT2020, LIMITED, 10)
    tags = Tags(BT2020, LIMITED, transfer, primaries=BT2020)
    path = write(tmp_path / f"video{ending}", planes, tags, codec, "yuv420p10le")
    with pytest.raises(UserError, match=rf"video{ending} has high dynamic range \({name}\)"):
        shown(path)


@pytest.mark.parametrize("transfer", [1, UNSPECIFIED, 6, 13, 14, 15])
def test_every_curve_of_standard_video_is_read(transfer: int, tmp_path: Path) -> None:
    planes = coded(COLOURS, BT2020, LIMITED, 10)
    tags = Tags(BT2020, LIMITED, transfer, primaries=BT2020)
    path = write(tmp_path / "video.mp4", planes, tags, "libx265", "yuv420p10le")
    assert worst(shown(path), COLOURS) == 0


def test_an_unknown_matrix_is_refused(tmp_path: Path) -> None:
    planes = coded(COLOURS, BT601, LIMITED, 8)
    path = write(tmp_path / "video.mp4", planes, Tags(YCGCO, LIMITED), "libx264")
    with pytest.raises(UserError, match=r"video\.mp4 keeps its colours in a way .*\(matrix 8 of"):
        shown(path)


@pytest.mark.parametrize("pixels", ["gbrpf32le", "grayf32le"])
def test_colours_of_more_than_16_bits_are_refused(pixels: str) -> None:
    # FFmpeg writes no such video unless it is told that this is an experiment.
    with pytest.raises(UserError, match=r"video\.mkv has 32 bits"):
        colour.check(Path("video.mkv"), av.VideoFrame(16, 16, pixels))
