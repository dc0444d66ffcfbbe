"""Laws of `foreframe drive` in a terminal: keys, cells, and that it is left as it was found."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy
import pytest

from tests.smoke import ROOT
from tests.workflow import drive_study
from workflow.drive import terminal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drive_study.make(tmp_path_factory.mktemp("drive"))


def test_a_press_moves_by_a_notch() -> None:
    wheel = terminal.Wheel()
    for key, expected in (
        ("left", ["left"]), ("left", ["left"]), ("right", []), ("right", ["right"]),
        ("up", ["right", "up"]), ("down", ["right"]), ("down", ["right", "down"]), ("space", []),
    ):  # fmt: skip
        wheel.press(key)
        assert wheel.keys() == expected


def test_what_a_terminal_sends_is_read_as_keys() -> None:
    sent = b"\x1b[A\x1b[D\x1bOCx \xc3\xa4r\x1b[Bq"
    expected = ["up", "left", "right", "space", "r", "down", "q"]
    assert list(terminal._keys(sent)) == expected


def test_a_frame_is_two_pixels_a_cell_and_fits() -> None:
    frame = numpy.arange(8 * 6 * 3, dtype=numpy.uint8).reshape(8, 6, 3)
    lines = terminal.cells(frame, 80, 24)
    assert len(lines) == 4 and all(line.count("▀") == 6 for line in lines)
    assert lines[0].startswith("\x1b[38;2;0;1;2;48;2;18;19;20m▀")
    small = terminal.cells(frame, 3, 24)
    assert len(small) == 2 and all(line.count("▀") == 3 for line in small)


def in_terminal(folder: Path, *words: str) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start the command in a pseudo-terminal; return it and both ends."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "workflow.cli", "drive", *words],
        cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
        # As a terminal starts it; what a script starts in the background ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    return process, ours, theirs


def read_until(descriptor: int, wanted: bytes, seconds: float = 60) -> bytes:
    content, end = b"", time.monotonic() + seconds
    while wanted not in content:
        assert time.monotonic() < end, content[-500:]
        if select.select([descriptor], [], [], 1)[0]:
            content += os.read(descriptor, 65536)
    return content


@pytest.mark.parametrize("ending", ["q", "SIGINT", "SIGTERM"])
def test_the_terminal_is_put_back_in_order(folder: Path, ending: str) -> None:
    process, ours, theirs = in_terminal(folder)
    try:
        before = termios.tcgetattr(theirs)
        read_until(ours, b"frames a second")
        assert termios.tcgetattr(theirs)[3] != before[3]  # single keys, no echo
        os.write(ours, b"\x1b[D")
        assert "▀".encode() in read_until(ours, b"left")
        if ending == "q":
            os.write(ours, b"q")
        else:
            process.send_signal(getattr(signal, ending))
        left = read_until(ours, terminal.LEAVE.encode())
        assert b"Traceback" not in left
        code = process.wait(timeout=30)
        assert code == {"q": 0, "SIGINT": 0, "SIGTERM": 143}[ending]
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
