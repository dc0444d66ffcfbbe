"""A tape grows, is cut where it is told, and belongs to one process at a time."""

import threading
from pathlib import Path

import pytest

from foreframe.artefacts import tape


def test_what_is_appended_follows_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "rows"
    with tape.opening(path) as rows:
        rows.append(b"abcdef")
        assert path.read_bytes() == b"abcdef"
    with tape.opening(path) as rows:
        rows.cut(2)
        rows.append(memoryview(b"xyz"))
    assert path.read_bytes() == b"abxyz"


def test_a_second_one_waits_and_makes_its_own_where_the_first_was_removed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "folder" / "rows"
    opened = threading.Event()

    def second() -> None:
        with tape.opening(path) as rows:
            opened.set()
            rows.append(b"second")

    other = threading.Thread(target=second)
    with tape.opening(path) as rows:
        rows.append(b"first")
        other.start()
        assert not opened.wait(0.3)
        path.unlink()
        path.parent.rmdir()
    other.join(20)
    assert opened.is_set()
    assert path.read_bytes() == b"second"
    assert "in use by another process; waiting" in capfd.readouterr().err
