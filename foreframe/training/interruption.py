"""A training run is asked to stop at its next safe point, not in mid-step.

SIGINT and SIGTERM ask, and so does the death of the `dvc` that started the run: the next one starts
a run of its own, which goes on from the checkpoint that this one leaves.
"""

import os
import signal
import threading
from types import FrameType
from typing import Self

import psutil  # type: ignore[import-untyped]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# DVC sets it for the commands that it runs. One run by hand may outlive its shell.
STARTED_BY_DVC = "DVC_STAGE"
# DVC has a shell start a command; some of them make way for it, others stay in between.
SHELLS = {"sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "zsh"}


class Interruption:
    """While entered, remembers the first signal; a second one acts as it always did."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._originals: dict[int, signal._HANDLER] = {}
        self._first = _first_of_command() if STARTED_BY_DVC in os.environ else None
        self._engine = self._first.ppid() if self._first is not None else None

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; elsewhere signals keep their usual effect.
        if threading.current_thread() is threading.main_thread():
            self._originals = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    @property
    def number(self) -> int | None:
        """The signal that asks the run to stop, or None."""
        if self._number is None and self._orphaned():
            return signal.SIGTERM
        return self._number

    def _orphaned(self) -> bool:
        try:
            return self._first is not None and self._first.ppid() != self._engine
        except psutil.NoSuchProcess:
            return True

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._originals.items():
            signal.signal(number, handler)
        self._originals = {}


def _first_of_command() -> psutil.Process:
    """Return the process that `dvc` started: this one, or the shell that this one runs under."""
    first = psutil.Process()
    while (parent := first.parent()) is not None and parent.name() in SHELLS:
        first = parent
    return first
