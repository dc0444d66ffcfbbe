"""What a run of a stage spends, time and memory, noted in a log that nothing depends on.

Artefacts hold what is exact: parameters, operations, steps. Seconds differ from run to run, so they
stand in `logs/`, which neither git nor DVC knows.
"""

import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from foreframe.artefacts import log
from foreframe.running import processes

LOG = Path("logs", "stages.jsonl")


@contextlib.contextmanager
def noted(path: Path = LOG) -> Iterator[None]:
    """Append to the log what the block took, however it ends, short of a kill.

    Of several processes of a run the first notes, also what those that it started took.

    An event holds: command (the words after `python`), finished (whether no error came), seconds,
    processor_seconds (of this process and its finished children), memory (the most bytes that one
    process occupied) and gpu_memory (the most bytes of tensors on a GPU; null without one).
    """
    if processes.rank() > 0 or processes.is_idle():
        yield
        return
    start, finished = time.monotonic(), False
    try:
        yield
        finished = True
    finally:
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        event = {
            "command": sys.orig_argv[1:],
            "finished": finished,
            "seconds": round(time.monotonic() - start, 3),
            "processor_seconds": round(
                sum(use.ru_utime + use.ru_stime for use in (own, children)), 3
            ),
            # Linux counts in kibibytes.
            "memory": 1024 * max(own.ru_maxrss, children.ru_maxrss),
            "gpu_memory": _gpu_memory(),
        }
        try:
            log.append(path, event)
        except OSError as error:
            sys.stderr.write(f"What this stage took could not be noted in {path}: {error}\n")


def _gpu_memory() -> int | None:
    # A stage that needs no torch has not loaded it, and need not wait for it now.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())
