"""Files written for people show the frames that went in."""

from pathlib import Path

import av
import numpy
import pytest

from foreframe.data import video
from foreframe.errors import UserError
from foreframe.randomness import numpy_generator


def frames() -> numpy.ndarray:
    coarse = numpy_generator(0, "video").integers(0, 256, (6, 4, 4, 3), dtype=numpy.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


@pytest.mark.parametrize(("ending", "error"), [(".mp4", 12), (".webm", 12), (".gif", 30)])
def test_a_file_shows_its_frames(ending: str, error: float, tmp_path: Path) -> None:
    path = tmp_path / f"future{ending}"
    video.write(path, frames(), 0.1)
    with av.open(str(path)) as container:
        shown = numpy.stack(
            [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        )
        assert container.streams.video[0].average_rate == 10
    assert shown.shape == frames().shape
    assert numpy.abs(shown.astype(float) - frames()).mean() < error


@pytest.mark.parametrize("ending", video.FORMATS)
def test_equal_frames_give_equal_bytes(ending: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        video.write(tmp_path / f"{name}{ending}", frames(), 0.1)
    assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


def test_an_unknown_ending_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.mp4"):
        video.write(tmp_path / "future.txt", frames(), 0.1)
    assert list(tmp_path.iterdir()) == []


def test_enlarging_repeats_pixels() -> None:
    large = video.enlarge(frames()[:, ::16, ::16], 9)
    assert large.shape == (6, 12, 12, 3)
    assert (large[:, ::3, ::3] == frames()[:, ::16, ::16]).all()


def test_panels_stand_beside_each_other() -> None:
    joined = video.beside([frames(), frames()], 3)
    assert joined.shape == (6, 64, 131, 3)
    assert (joined[:, :, 67:] == frames()).all()
