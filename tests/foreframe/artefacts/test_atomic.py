"""A reader of a published path sees the old file or the new one, and failures leave nothing."""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from foreframe.artefacts import atomic
from foreframe.errors import UserError


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    atomic.write_text(path, "one\n")
    atomic.write_text(path, "two\n")
    assert path.read_bytes() == b"two\n"
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError), atomic.writing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_at_any_step_keeps_the_old_file(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    atomic.write_text(path, "old")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, crash)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_in_plain_words(tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: the write itself fails.
    path = tmp_path / "file"
    code = (
        "import sys; from pathlib import Path; from foreframe.artefacts import atomic\n"
        "from foreframe.errors import UserError\n"
        "try: atomic.write_bytes(Path(sys.argv[1]), bytes(100_000))\n"
        "except UserError as error: print(error)"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    run = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limit,
    )
    assert "grew over the largest file size" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = (
        "import os, signal, sys; from pathlib import Path; from foreframe.artefacts import atomic\n"
        "with atomic.writing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert [left.name.startswith(".file.") for left in tmp_path.iterdir()] == [True]
    # That of a writer that is alive stays.
    with atomic.writing(path) as temporary:
        temporary.write_text("later")
        atomic.write_text(path, "new")
        assert sorted(tmp_path.iterdir()) == sorted([temporary, path])
        assert path.read_text() == "new"
    assert path.read_text() == "later"
    assert list(tmp_path.iterdir()) == [path]


def test_the_process_number_of_a_dead_writer_may_be_alive_again(tmp_path: Path) -> None:
    # In another container, for example, or after a restart of the machine.
    left = tmp_path / f".file.{os.getppid()}.tmp"
    left.write_text("half")
    atomic.write_text(tmp_path / "file", "new")
    assert not left.exists()


def test_an_error_of_another_file_is_not_blamed_on_the_one_written(tmp_path: Path) -> None:
    other = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "videos" / "a.mp4"))
    with pytest.raises(PermissionError, match=r"a\.mp4"), atomic.writing(tmp_path / "file"):
        raise other
    assert list(tmp_path.iterdir()) == []


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        atomic.write_text(tmp_path / "file" / "below", "x")


def test_a_read_only_folder_is_said_in_plain_words() -> None:
    # Not in tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        with ordinary_user(), pytest.raises(UserError, match="Make its folder writable"):
            atomic.write_text(Path(name) / "file", "x")


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Be nobody for a while where the tests run as root, who may write everywhere."""
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(before)
