"""What this machine can do at best, measured: reading memory and multiplying matrices."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

LONG = 3.0  # seconds


@dataclass(frozen=True)
class Limits:
    """Bytes read per second, and floating-point operations per second in float32."""

    bandwidth: float
    arithmetic: float

    def seconds(self, operations: float, size: float) -> float:
        """Return the least time for so many operations on so many bytes of memory."""
        return max(operations / self.arithmetic, size / self.bandwidth)

    def or_better(self, other: "Limits") -> "Limits":
        """Return the better of two measurements of the same machine."""
        return Limits(max(self.bandwidth, other.bandwidth), max(self.arithmetic, other.arithmetic))


def measure(device: torch.device) -> Limits:
    """Return the best of several runs each."""
    numbers = torch.ones(2**27, device=device)  # 512 MiB: larger than any cache
    side = 2048 if device.type == "cpu" else 8192
    matrix = torch.ones(side, side, device=device)
    reading = best(lambda: numbers.sum(), device, 20)
    multiplying = best(lambda: matrix @ matrix, device, 20)
    return Limits(numbers.numel() * 4 / reading, 2 * side**3 / multiplying)


def machine(device: torch.device) -> dict[str, Any]:
    """Return the machine in words: processor or GPU, threads, versions; no names of hosts."""
    on_gpu = device.type == "cuda"
    return {
        "processor": torch.cuda.get_device_name(device) if on_gpu else _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "large_pages": os.environ.get("THP_MEM_ALLOC_ENABLE") == "1",
        "torch": torch.__version__,
        "cuda": torch.version.cuda if on_gpu else None,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if not listing.exists():
        return platform.processor()
    lines = listing.read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def best(work: Callable[[], object], device: torch.device, times: int) -> float:
    """Return the seconds of the fastest of several runs, after one that does not count.

    Work that takes long has no need to be warmed up: its first run is the only one.
    """
    first = timed(work, device)
    return first if first > LONG else min(timed(work, device) for _ in range(times))


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of one run, until the device has finished."""
    finish(device)
    start = time.perf_counter()
    work()
    finish(device)
    return time.perf_counter() - start


def finish(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
