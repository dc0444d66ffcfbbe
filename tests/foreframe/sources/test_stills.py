"""A still picture is an episode of one frame; with a hole, of two."""

import numpy
import pytest

from foreframe.randomness import numpy_generator
from foreframe.sources.stills import StillSettings, rows


def settings(hole: int, height: int = 16, width: int = 20) -> StillSettings:
    return StillSettings(kind="still", height=height, width=width, frame_interval=1.0, hole=hole)


@pytest.mark.parametrize("shape", [(16, 20), (16, 16)])
def test_the_hole_is_black_and_in_the_middle_and_the_rest_is_the_picture(
    shape: tuple[int, int],
) -> None:
    picture = numpy_generator(0, "picture").integers(1, 256, (*shape, 3)).astype(numpy.uint8)
    missing, whole = (frame for frame, *_ in rows(picture, 6))
    assert numpy.array_equal(whole, picture) and whole.all()
    changed = (missing != picture).all(axis=2)
    assert changed.sum() == 36 and not missing[changed].any()
    # As much above as below, and left as right.
    assert numpy.array_equal(changed, changed[::-1, ::-1])
    assert numpy.array_equal(missing[~changed], picture[~changed])
    (alone,) = (frame for frame, *_ in rows(picture, 0))
    assert numpy.array_equal(alone, picture)


@pytest.mark.parametrize(
    ("hole", "height", "said"),
    [
        (16, 16, "nothing around it would be left"),
        (18, 16, "nothing around it"),
        (5, 16, "no middle"),
        (6, 17, "no middle"),
        (-2, 16, "greater than or equal to 0"),
    ],
)
def test_a_hole_without_a_place_is_refused(hole: int, height: int, said: str) -> None:
    assert settings(14).hole == 14
    with pytest.raises(ValueError, match=said):
        settings(hole, height)
