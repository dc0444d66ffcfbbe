"""Folders of images are read whole and in order, or refused with the name of what is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from PIL import Image

from foreframe.errors import UserError
from tests.foreframe.sources import containers


def collect(folder: Path) -> list[containers.Collected]:
    return containers.collect("image_folder", folder)


def fill(folder: Path, count: int = 2, size: tuple[int, int] = (24, 16)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number}.png")
    return folder


def test_folders_at_any_depth_are_episodes_in_natural_order(tmp_path: Path) -> None:
    for name in ("b10/x", "b10", "B2/y/z", "a"):
        fill(tmp_path / name)
    (tmp_path / "README.md").write_text("my images")
    (tmp_path / "a" / ".DS_Store").write_text("")
    found = collect(tmp_path)
    assert [episode.origin for episode in found] == ["a", "B2/y/z", "b10", "b10/x"]


def test_images_of_any_kind_are_one_episode_if_they_show_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    image = Image.new("L", (24, 16), 77)
    for number, (mode, ending) in enumerate(
        [("L", "png"), ("RGB", "PNG"), ("P", "png"), ("RGB", "bmp"), ("RGBA", "webp")]
    ):
        image.convert(mode).save(tmp_path / "a" / f"{number}.{ending}", lossless=True)
    (episode,) = collect(tmp_path)
    assert episode.frames.shape == (5, 16, 24, 3)
    assert (episode.frames == 77).all()


def test_a_folder_may_be_a_link_but_not_to_itself(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere")
    assert [episode.origin for episode in collect(tmp_path / "data")] == ["linked"]
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "data")
    with pytest.raises(UserError, match="loop is a link to a folder that it lies in"):
        collect(tmp_path / "data")


def test_images_that_are_not_kept_are_not_decoded(tmp_path: Path) -> None:
    fill(tmp_path / "a", 9)
    (tmp_path / "a" / "5.png").write_text("broken")
    found = containers.collect("image_folder", tmp_path, frame_interval=0.4)
    assert found[0].frames[:, 0, 0, 0].tolist() == [0, 4, 8]


# Mistakes ---------------------------------------------------------------------------------------


def nothing(folder: Path) -> None:
    pass


def outside(folder: Path) -> None:
    fill(folder)


def text(folder: Path) -> None:
    fill(folder / "a")
    (folder / "a" / "labels.txt").write_text("1")


def archive(folder: Path) -> None:
    fill(folder / "a")
    (folder / "images.zip").write_text("1")


def hollow(folder: Path) -> None:
    fill(folder / "a")
    (folder / "b").mkdir()


def lone(folder: Path) -> None:
    fill(folder / "a", 1)


def sizes(folder: Path) -> None:
    fill(folder / "a")
    Image.new("RGB", (25, 16)).save(folder / "a" / "7.png")


def depths(folder: Path) -> None:
    fill(folder / "a")
    Image.new("I;16", (24, 16)).save(folder / "a" / "7.png")


def cut(folder: Path) -> None:
    fill(folder / "a", 8)
    path = folder / "a" / "7.png"
    path.write_bytes(path.read_bytes()[:-30])


def named_as_image(folder: Path) -> None:
    fill(folder / "a")
    (folder / "a" / "7.png").mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nothing, "data is empty"),
        (outside, r"0\.png lies outside of a subfolder"),
        (text, r"labels\.txt is no image"),
        (archive, r"images\.zip is no image"),
        (hollow, "b has no images"),
        (lone, "a has a single image"),
        (sizes, r"7\.png is 25 x 16 pixels, but 0\.png of the same folder is 24 x 16"),
        (depths, r"7\.png has more than 8 bits"),
        (cut, r"7\.png is damaged or cut short"),
        (named_as_image, r"7\.png has no images"),
    ],
)
def test_mistakes_are_named(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    spoil(tmp_path / "data")
    with pytest.raises(UserError, match=message):
        collect(tmp_path / "data")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        collect(tmp_path / "nowhere")


# Size -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_thousand_images_take_the_memory_of_their_names(tmp_path: Path) -> None:
    peaks = []
    for count in (100, 100_000):
        folder = tmp_path / str(count) / "a"
        folder.mkdir(parents=True)
        Image.fromarray(numpy.zeros((16, 24, 3), numpy.uint8)).save(tmp_path / "image.png")
        copies = [tmp_path / f"image{number}.png" for number in range(count // 50_000 + 1)]
        for copy in copies:
            copy.write_bytes((tmp_path / "image.png").read_bytes())
        for number in range(count):
            (folder / f"{number}.png").hardlink_to(copies[number // 50_000])
        frames, peak = containers.peak("image_folder", folder.parent)
        assert frames == count
        peaks.append(peak)
    # In kilobytes: the frames alone would be 115 MB, the names are some 10 MB.
    assert peaks[1] - peaks[0] < 80_000
