"""Episodes made by several processes at once and handed on in order: equal bytes for any number.

Each worker makes every n-th episode and sends it through a pipe of its own, so a worker that dies
closes its pipe and is noticed, and workers whose parent was killed stop by themselves.
"""

import contextlib
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar

from foreframe.errors import UserError
from foreframe.sources import Block

Job = TypeVar("Job")

# What all workers together may have made ahead of the reader, in bytes.
AHEAD = 256 << 20

# The last message of every episode.
END = "end"


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    inbox: "queue.Queue[Block | UserError | str | None]"


def in_order(
    produce: Callable[[Job], Iterator[Block]], jobs: Sequence[Job], workers: int, block_bytes: int
) -> Generator[Iterator[Block], None, None]:
    """Yield `produce(job)` for each job in order, made by up to `workers` processes.

    Each stream is to be read before the next is asked for; one worker means no process at all.
    `block_bytes` is the size of a full block, `produce` and the jobs must be picklable.

    Raises:
        UserError: raised by `produce`, or a worker was killed.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(produce, jobs)
        return
    ahead = max(1, AHEAD // (workers * block_bytes))
    with contextlib.ExitStack() as stack:
        team = [_start(produce, jobs[n::workers], ahead, stack) for n in range(workers)]
        for number in range(len(jobs)):
            yield _receive(team[number % workers])


def _start(
    produce: Callable[[Job], Iterator[Block]],
    jobs: Sequence[Job],
    ahead: int,
    stack: contextlib.ExitStack,
) -> _Worker:
    # A fresh process: forking one that runs threads (torch, HDF5) can deadlock.
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(produce, jobs, writer), daemon=True)
    with _without_interrupts():
        process.start()
    # The worker holds the only writing end now: when it dies, the reader sees the end.
    writer.close()
    inbox: queue.Queue[Block | UserError | str | None] = queue.Queue(maxsize=ahead)
    threading.Thread(target=_pump, args=(reader, inbox), daemon=True).start()
    stack.callback(process.join)
    stack.callback(process.terminate)
    return _Worker(process, inbox)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    # Ctrl-C reaches the whole group: the parent ends its workers, which need not complain. They
    # inherit what is ignored, so that this holds from their first moment on.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(
    produce: Callable[[Job], Iterator[Block]], jobs: Sequence[Job], writer: Connection
) -> None:
    with contextlib.suppress(BrokenPipeError):
        try:
            for job in jobs:
                for block in produce(job):
                    writer.send(block)
                writer.send(END)
        except UserError as error:
            writer.send(error)


def _pump(reader: Connection, inbox: "queue.Queue[Block | UserError | str | None]") -> None:
    # A pipe holds 64 kB only; this thread lets a worker run ahead by whole blocks.
    with contextlib.suppress(EOFError):
        while True:
            inbox.put(reader.recv())
    inbox.put(None)


def _receive(worker: _Worker) -> Iterator[Block]:
    while (message := worker.inbox.get()) != END:
        if isinstance(message, UserError):
            raise message
        if not isinstance(message, Block):
            worker.process.join()
            raise UserError(
                f"A worker process of the source stopped (exit code {worker.process.exitcode}). "
                "Most often the memory was full: lower compute.threads and run it again."
            )
        yield message
