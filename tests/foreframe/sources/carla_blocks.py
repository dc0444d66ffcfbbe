"""Episodes that need no simulator, made in processes that are there soon."""

import itertools
import os
import signal
from collections.abc import Generator
from functools import partial
from pathlib import Path

import numpy

from foreframe.sources import Block
from foreframe.sources.carla.process import attempt


def block(number: int) -> Block:
    """Return a full block, or a short one from the fourth on."""
    frames = numpy.full((32 if number < 4 else 7, 8, 9, 3), number, numpy.uint8)
    numbers = numpy.arange(len(frames), dtype=numpy.float32)[:, None] + number
    return Block(frames, numbers, numpy.hstack([numbers, -numbers]))


def blocks(count: int) -> Generator[Block, None, None]:
    """Yield so many of them."""
    yield from map(block, range(count))


def endless(folder: Path) -> Generator[Block, None, None]:
    """Yield blocks for ever; note the process, and when it cleans up."""
    (folder / "process").write_text(str(os.getpid()))
    try:
        for number in itertools.count():
            yield block(number % 4)
    finally:
        (folder / "cleaned").touch()


def stopped(folder: Path, number: int) -> Generator[Block, None, None]:
    """Yield a block, then be sent a signal, as by Ctrl-C; count the beginnings."""
    with (folder / "begun").open("a") as file:
        file.write("x")
    try:
        yield block(0)
        os.kill(os.getpid(), number)
        yield block(1)
    finally:
        # The parent asks as well.
        os.kill(os.getpid(), signal.SIGTERM)
        (folder / "cleaned").touch()


def orphan(folder: Path) -> None:
    """Start a process and die without a word to it."""
    next(attempt(partial(endless, folder)))
    os._exit(9)
