"""One size of a benchmark measured in processes of its own: one for memory, one for time.

The C library's allocator gives memory back at once in the first and keeps it in the second, which
is what is fair to each. A benchmark that is called with `--only SIZE` measures in that process, and
prints what it found as JSON.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

MIB = 2**20
# For glibc.
GIVING_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}
KEEPING = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}


def peak() -> int:
    """Return the most memory that this process has held so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measured(module: str, size: Any) -> dict[str, float]:
    """Return what a module of benchmarks finds of a size, a dataclass; `step` is of the second."""
    needed, timed = (_child(module, size, allocator) for allocator in (GIVING_BACK, KEEPING))
    return {**needed, "step": timed["step"]}


def _child(module: str, size: Any, allocator: Mapping[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", module, "--only", json.dumps(asdict(size))]
    run = subprocess.run(
        command, env={**os.environ, **allocator}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(run.stdout)
    return found
