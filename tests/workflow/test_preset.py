"""Presets are complete, valid, and written without losing a comment."""

from pathlib import Path

import pytest

from foreframe.config import params, reading
from foreframe.errors import UserError
from workflow import preset

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", preset.names())
def test_every_preset_is_valid(name: str) -> None:
    params.check(preset.values(name), name)


def test_the_committed_parameters_are_the_laptop_preset() -> None:
    assert (ROOT / "params.yaml").read_bytes() == (preset.FOLDER / "laptop.yaml").read_bytes()


def test_there_and_back_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    preset.write("laptop", path)
    before = path.read_text()
    for name in preset.names():
        preset.write(name, path)
        assert reading.load(path) == preset.values(name)
    preset.write("laptop", path)
    assert path.read_text() == before


def test_every_comment_stays_and_a_users_own_too(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    preset.write("laptop", path)
    text = path.read_text().replace("seed: 0", "seed: 7  # my lucky number")
    path.write_text(text)
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    changes = preset.write("thesis", path)
    written = path.read_text()
    assert all(comment in written for comment in comments)
    assert "seed: 7 -> 0" in changes


def test_it_says_what_changed(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    preset.write("laptop", path)
    assert preset.write("laptop", path) == []
    path.write_text(path.read_text().replace("kind: car_racing", "kind: video_folder"))
    assert preset.write("laptop", path) == ["source.kind: video_folder -> car_racing"]


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "\udcff"])
def test_a_broken_file_is_written_anew(content: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content.encode(errors="surrogateescape"))
    preset.write("smoke", path)
    assert reading.load(path) == preset.values("smoke")


def test_an_unknown_preset_is_refused_with_the_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="laptop, smoke, thesis"):
        preset.write("huge", tmp_path / "params.yaml")
    assert list(tmp_path.iterdir()) == []
