"""Driving in the terminal: two pixels in each character cell, arrow keys, no window system.

A terminal tells of a key's press and not of its release, so a press moves the steering or the pedal
by a notch: left, straight, right; brake, none, gas. The terminal is put back in order however the
drive ends, unless the process is killed with SIGKILL.

Shapes: H rows, W columns.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.simulator.environment import LearnedDriving
from workflow.drive import controls

ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"  # another screen, no cursor, cleared
LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
HOME = "\x1b[H"
REST = "\x1b[0m\x1b[K\r\n"  # plain colours, the line's rest cleared
STEERING = "arrows: {}   space: let go"
OTHERS = "r: another clip   q: leave"


@dataclass
class Wheel:
    """Where steering and pedal stand: -1, 0 or 1 each, left and brake being negative."""

    steering: int = 0
    pedal: int = 0

    def press(self, key: str) -> None:
        """Move by a notch for an arrow key; `space` brings both back."""
        if key == "space":
            self.steering = self.pedal = 0
        self.steering = _notch(self.steering, (key == "right") - (key == "left"))
        self.pedal = _notch(self.pedal, (key == "up") - (key == "down"))

    def keys(self) -> list[str]:
        """Return the keys that would have to be held for this."""
        steered = {-1: ["left"], 0: [], 1: ["right"]}[self.steering]
        return steered + {-1: ["down"], 0: [], 1: ["up"]}[self.pedal]


def _notch(place: int, step: int) -> int:
    return max(-1, min(1, place + step))


def drive(environment: LearnedDriving, seed: int, start: dict[str, int] | None) -> None:
    """Drive until q, Ctrl-C or the terminal's end.

    Raises:
        UserError: there is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "There is no terminal to drive in. Use --web, or --frames and --out for a video file."
        )
    keys = controls.of(environment.trained)
    usage = f"{STEERING.format(keys.said) if keys.said else controls.FREE}   {OTHERS}"
    with _prepared(sys.stdin.fileno()), contextlib.suppress(KeyboardInterrupt):
        frame, info = environment.reset(seed=seed, options=start)
        wheel = Wheel()
        _show(frame, f"test clip {info['clip']}: the last frame that is real", usage)
        while True:
            for key in _pressed(sys.stdin.fileno()):
                if key == "q":
                    return
                if key == "r":
                    environment.reset()
                    wheel = Wheel()
                wheel.press(key)
            began = time.perf_counter()
            _, _, _, _, info = environment.step(keys.action(wheel.keys()))
            each = (time.perf_counter() - began) / len(info["frames"])
            held = " ".join(wheel.keys()) if keys.names else ""
            said = f"predicted: {1 / each:.1f} frames a second   {held}"
            for number, frame in enumerate(info["frames"]):
                # Several frames come at once: no faster than they are predicted, or than life.
                time.sleep(min(each, environment.trained.interval) if number else 0)
                _show(frame, said, usage)


def cells(frame_HWC: NDArray[numpy.uint8], columns: int, rows: int) -> list[str]:
    """Return a frame as lines of half blocks that fit into so many character cells.

    Every k-th pixel is shown, k being the least that fits; a cell holds two, one above the other.
    """
    height, width = frame_HWC.shape[:2]
    step = max(1, -(-width // columns), -(-height // (2 * rows)))
    seen = frame_HWC[::step, ::step]
    seen = seen[: len(seen) // 2 * 2]
    lines = []
    for upper, lower in zip(seen[::2].tolist(), seen[1::2].tolist(), strict=True):
        blocks = (
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m▀"
            for a, b in zip(upper, lower, strict=True)
        )
        lines.append("".join(blocks))
    return lines


def _show(frame_HWC: NDArray[numpy.uint8], status: str, usage: str) -> None:
    size = shutil.get_terminal_size()
    lines = cells(frame_HWC, size.columns, max(1, size.lines - 3))
    plain = [text[: size.columns - 1] for text in (status, usage)]
    text = HOME + REST.join([*lines, *plain]) + "\x1b[0m\x1b[K"
    sys.stdout.write(text)
    sys.stdout.flush()


def _pressed(descriptor: int) -> list[str]:
    """Return the keys that were pressed since the last call, oldest first."""
    content = b""
    while select.select([descriptor], [], [], 0)[0]:
        more = os.read(descriptor, 1024)
        if not more:  # the terminal is gone
            return ["q"]
        content += more
    return list(_keys(content))


def _keys(content: bytes) -> Iterator[str]:
    """Yield the names of the keys in what a terminal sends."""
    while content:
        if content[:2] in (b"\x1b[", b"\x1bO") and content[2:3] in ARROWS:
            yield ARROWS[content[2:3]]
            content = content[3:]
            continue
        found = {b" ": "space", b"q": "q", b"r": "r", b"\x04": "q"}.get(content[:1])
        if found is not None:
            yield found
        content = content[1:]


@contextlib.contextmanager
def _prepared(descriptor: int) -> Iterator[None]:
    """Take single keys and another screen; put everything back at the end, whatever ends it."""
    before: Any = termios.tcgetattr(descriptor)
    handlers = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write(ENTER)
        yield
    finally:
        # A terminal that was closed can take nothing back.
        with contextlib.suppress(OSError, termios.error):
            sys.stdout.write(LEAVE)
            sys.stdout.flush()
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    # As an exception, so that the terminal is put in order on the way out.
    sys.exit(128 + number)
