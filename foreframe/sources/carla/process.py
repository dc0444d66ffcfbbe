"""Attempts at an episode, each in a process of its own, until one of them is whole.

CARLA's client ends its process when the server goes away while the traffic manager is at work, and
keeps a connection to a dead server for good: only a new process reconnects. Two drives are never
the same to the last pixel, so an episode is kept aside until it is complete.
"""

import contextlib
import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import IO

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import BLOCK, Block
from foreframe.sources.carla.world import LostError

Columns = tuple[NDArray[numpy.generic], ...]
Produce = Callable[[], Generator[Block, None, None]]

# Attempts at one episode; each waits for the server as long as `timeout` says.
TRIES = 4

# What a process that is done or asked to stop may take to clean up, in seconds.
GRACE = 90.0

# What asks a process to stop, and how it then exits.
STOPS = (signal.SIGINT, signal.SIGTERM)
TOLD = tuple(128 + number for number in STOPS)

# The last message of a process.
END = "end"

# The columns of an episode that is kept aside.
NAMES = ("frame", "action", "state")


def whole(produce: Produce) -> Iterator[Block]:
    """Yield the blocks of the first of `TRIES` attempts that is complete.

    Raises:
        UserError: raised by `produce`, or every attempt was lost.
    """
    for _ in range(TRIES):
        with tempfile.TemporaryFile() as kept:
            try:
                row = _keep(kept, attempt(produce))
            except LostError as error:
                reason = error
                continue
            kept.seek(0)
            while data := kept.read(BLOCK * row.itemsize):
                rows = numpy.frombuffer(data, row)
                yield Block(*(numpy.ascontiguousarray(rows[name]) for name in NAMES))
            return
    raise UserError(
        f"The CARLA server was lost in {TRIES} attempts at one episode, at last: {reason}. Look "
        "into its log, start it anew and run this again: the episodes before this one are kept."
    )


def _keep(file: IO[bytes], blocks: Generator[Block, None, None]) -> numpy.dtype[numpy.void]:
    """Write rows of frame, action and state and return their type."""
    row = numpy.dtype([("frame", numpy.uint8)])
    with contextlib.closing(blocks):
        for block in blocks:
            columns: Columns = (block.frames, block.actions, block.states)
            parts = zip(NAMES, columns, strict=True)
            row = numpy.dtype([(name, column.dtype, column.shape[1:]) for name, column in parts])
            rows = numpy.empty(len(block.frames), row)
            rows["frame"], rows["action"], rows["state"] = columns
            file.write(rows.tobytes())
    return row


def attempt(produce: Produce) -> Generator[Block, None, None]:
    """Yield the blocks that `produce`, which must be picklable, makes in a new process.

    Raises:
        UserError: raised by `produce`.
        LostError: raised by `produce`, or the process ended before it was done.
    """
    # A fresh process: nothing of an earlier client lives on in it.
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(produce, writer), daemon=True)
    process.start()
    # The process holds the only writing end now: when it dies, this one sees the end.
    writer.close()
    done = False
    try:
        while isinstance(message := _next(reader, process), Block):
            yield message
        if isinstance(message, Exception):
            raise message
        done = True
    finally:
        if not done:
            process.terminate()
        process.join(GRACE)
        process.kill()
        process.join()
        reader.close()


def _next(reader: Connection, process: BaseProcess) -> Block | Exception | str:
    try:
        return reader.recv()
    except EOFError:
        process.join(GRACE)
    if process.exitcode in TOLD:
        return UserError(
            "The process that speaks to CARLA was told to stop, and has cleaned up. Run this "
            "again: it goes on at the episode that was under way."
        )
    return LostError("CARLA's client ended its process")


def _work(produce: Produce, writer: Connection) -> None:
    for number in STOPS:
        signal.signal(number, _stop)
    # A parent that was killed reads no more; the pipe breaks, and this cleans up as well.
    with contextlib.suppress(BrokenPipeError):
        try:
            with contextlib.closing(produce()) as blocks:
                for block in blocks:
                    writer.send(block)
            writer.send(END)
        except (UserError, LostError) as error:
            writer.send(error)


def _stop(number: int, frame: FrameType | None) -> None:
    # Ctrl-C reaches the whole group, and the parent asks once more: that must not end the cleaning.
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)
