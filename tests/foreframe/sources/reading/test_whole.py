"""Files cut anywhere are noticed without decoding; whole ones are not accused."""

from pathlib import Path

import pytest

from foreframe.sources.reading import whole
from tests.foreframe.sources import copies, making


@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mov", "a.mkv", "a.webm", "a.png", "a.jpg"])
def test_only_what_was_cut_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix in (".png", ".jpg"):
        copies.picture(path, 3, 40, 40)
    else:
        making.write(path, making.moving(8))
    content = path.read_bytes()
    assert whole.problem(path) is None
    for share in range(20):
        path.write_bytes(content[: len(content) * share // 20])
        assert whole.problem(path) is not None, share
    path.write_bytes(b"something else" + content)
    assert whole.problem(path) is not None


def test_zeros_at_the_end_do_no_harm(tmp_path: Path) -> None:
    path = copies.picture(tmp_path / "a.png", 3)
    path.write_bytes(path.read_bytes() + bytes(8))
    assert whole.problem(path) is None


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    assert whole.problem(tmp_path / "no.png") == "cannot be read (No such file or directory)"
