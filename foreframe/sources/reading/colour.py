"""The colours of a decoded picture as RGB with 8 bits each, the numbers that players show.

The matrix and the range are those that the file names. Primaries and the transfer curve of standard
video are left as they are, as by most players: wide primaries (BT.2020, P3) look a little pale.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources.reading.fitting import SCALING, over_black

# From luma and colour differences to RGB, by the numbers of ITU-T H.273, table 4.
MATRICES: Mapping[int, Colorspace] = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
# RGB, unspecified and reserved: none of them says how luma and colour differences are to be read.
UNTAGGED = (0, 2, 3)

# Curves of high dynamic range. Shown as they are, such pictures are dull and grey.
HIGH_DYNAMIC_RANGE = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}

MOST_BITS = 16


def check(path: Path, picture: VideoFrame) -> None:
    """Refuse a picture whose colours have no 8-bit RGB that everybody would agree on.

    Raises:
        UserError: high dynamic range, an unknown matrix or more than 16 bits; names the file.
    """
    if curve := HIGH_DYNAMIC_RANGE.get(picture.color_trc):
        raise UserError(
            f"{path} has high dynamic range ({curve}), which is not read. Export it again as "
            "standard video (SDR)."
        )
    if bits(picture) > MOST_BITS:
        raise UserError(
            f"{path} has {bits(picture)} bits for each colour; up to {MOST_BITS} are read. Convert "
            "it: ffmpeg -i OLD -pix_fmt yuv420p NEW.mp4"
        )
    if not picture.format.is_rgb and picture.colorspace not in (*MATRICES, *UNTAGGED):
        raise UserError(
            f"{path} keeps its colours in a way that is not read (matrix {picture.colorspace} of "
            "H.273). Convert it: ffmpeg -i OLD -vf scale=out_color_matrix=bt709 NEW.mp4"
        )


def bits(picture: VideoFrame) -> int:
    """Return how many bits a colour of the picture has."""
    return max(component.bits for component in picture.format.components)


def rgb(picture: VideoFrame) -> NDArray[numpy.uint8]:
    """Return the colours of a checked picture, uint8 (H, W, 3); transparency lies over black."""
    kind = picture.format
    transparent = kind.has_palette or any(component.is_alpha for component in kind.components)
    if bits(picture) > 8 and _full(picture):
        # FFmpeg's own way to 8 bits is rounded for limited range only. Its way to 16 bits is exact
        # (to planes: interleaved it is wrong for 4:2:0), but leaves the lowest bits empty where the
        # picture was no RGB.
        white = 65535 if kind.is_rgb else 65536 - (65536 >> bits(picture))
        wide = _converted(picture, "gbrap16le" if transparent else "gbrp16le")
        colours = ((wide.astype(numpy.uint32) * 255 + white // 2) // white).astype(numpy.uint8)
    else:
        narrow = _converted(picture, "rgba" if transparent else "rgb24")
        colours = narrow.astype(numpy.uint8, copy=False)
    return over_black(colours) if transparent else colours


def _full(picture: VideoFrame) -> bool:
    """Tell whether the largest number is white, as in RGB and grey always."""
    grey = sum(not component.is_alpha for component in picture.format.components) == 1
    return picture.format.is_rgb or grey or picture.color_range == ColorRange.JPEG


def _converted(picture: VideoFrame, form: str) -> NDArray[numpy.generic]:
    matrix = None if picture.format.is_rgb else _matrix(picture)
    return picture.reformat(
        format=form, src_colorspace=matrix, interpolation=SCALING, threads=1
    ).to_ndarray()


def _matrix(picture: VideoFrame) -> Colorspace:
    if picture.colorspace in MATRICES:
        return MATRICES[picture.colorspace]
    # The rule of mpv (mp_csp_guess_colorspace): what is larger than PAL is high definition.
    large = picture.width >= 1280 or picture.height > 576
    return Colorspace.ITU709 if large else Colorspace.ITU601
