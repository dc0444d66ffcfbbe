"""How a decoded picture is turned and mirrored when it is shown, as its display matrix says.

A camera writes pictures as its sensor lies and notes how they are to be shown: eight ways, since
front and rear cameras mirror as well as turn.
"""

from dataclasses import dataclass

import numpy
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """What is done to a picture, in this order.

    Attributes:
        transposed: rows become columns.
        mirrored: left and right change places.
        upside_down: top and bottom change places.
    """

    transposed: bool
    mirrored: bool
    upside_down: bool

    def shown(self, picture_HW3: NDArray[numpy.uint8]) -> NDArray[numpy.uint8]:
        """Return a picture, uint8 (H, W, 3), as it is shown, (W, H, 3) if it is transposed."""
        if self.transposed:
            picture_HW3 = picture_HW3.swapaxes(0, 1)
        rows = slice(None, None, -1 if self.upside_down else 1)
        columns = slice(None, None, -1 if self.mirrored else 1)
        return numpy.ascontiguousarray(picture_HW3[rows, columns])


def of(picture: VideoFrame) -> Orientation:
    """Return how a picture is shown: the nearest of the eight ways, and as it is without a matrix.

    The matrix (ISO/IEC 14496-12, 6.2.2) takes the point (x, y) of the picture, y downwards, to
    (a x + c y + ..., b x + d y + ...); scale and place do not matter here.
    """
    side = picture.side_data.get("DISPLAYMATRIX")
    if side is None:
        return Orientation(transposed=False, mirrored=False, upside_down=False)
    assert isinstance(side, SideData), "what PyAV lists beside a picture"
    a, b, _, c, d, *_ = map(int, numpy.frombuffer(bytes(side), numpy.int32))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(transposed=False, mirrored=a < 0, upside_down=d < 0)
    return Orientation(transposed=True, mirrored=c < 0, upside_down=b < 0)


def _unnamed(number: int) -> Type:
    member = object.__new__(Type)
    vars(member).update(_name_=f"UNNAMED_{number}", _value_=number)
    return member


# PyAV refuses to list what comes with a picture when FFmpeg knows a kind that PyAV has no name for:
# the two views of a spatial video, or the notes of a camera (EXIF). None of them is needed here.
Type._missing_ = _unnamed  # type: ignore[assignment]
