"""SIGINT and SIGTERM ask a training run to stop at its next safe point, not in mid-step."""

import signal
import threading
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """While entered, remembers the first signal in `number`; a second one acts as it always did."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._originals: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; elsewhere signals keep their usual effect.
        if threading.current_thread() is threading.main_thread():
            self._originals = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._originals.items():
            signal.signal(number, handler)
        self._originals = {}
