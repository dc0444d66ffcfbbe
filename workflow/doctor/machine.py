"""The machine: cores, memory, disk, the project's folders, and the presets that fit."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from workflow import storage
from workflow.doctor.check import GIB, Check

NEEDED_DISK = 5  # GiB
LAPTOP_MEMORY = 4  # GiB of main memory that the preset takes
THESIS_GPU_MEMORY = 32  # GiB of a GPU's


def machine(params: Path) -> Iterator[Check]:
    """Check cores, memory and disk."""
    cores = len(os.sched_getaffinity(0))
    yield Check("cores", "ok", f"{cores} that this process may use")
    memory = _memory()
    enough = memory >= LAPTOP_MEMORY
    cure = "" if enough else "Use the preset smoke, or smaller batches"
    yield Check("memory", "ok" if enough else "warning", f"{memory:.0f} GiB", cure)
    free = shutil.disk_usage(params.absolute().parent).free / GIB
    enough = free >= NEEDED_DISK
    cure = "" if enough else "Free some: artefacts are kept twice, in data/ and in .dvc/cache"
    yield Check("disk", "ok" if enough else "warning", f"{free:.0f} GiB free", cure)


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB


def folders(params: Path) -> Iterator[Check]:
    """Check that the project is a git repository and that results can be written."""
    root = params.absolute().parent
    if not (root / ".git").exists():
        yield Check("project", "missing", "no git repository", "Clone it with git: DVC needs that")
        return
    blocked = []
    for path in (root, *(root / name for name in ("data", "reports", ".dvc"))):
        if not path.exists():
            continue
        try:
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            blocked.append(f"{path.relative_to(root)}: {error.strerror}")
    cure = "Give yourself the right to write there" if blocked else ""
    detail = "; ".join(blocked) or "a git repository; its folders can be written"
    yield Check("project", "missing" if blocked else "ok", detail, cure)


def remotes(params: Path) -> Iterator[Check]:
    """Check that what comes from DVC's remotes is looked at."""
    root = params.absolute().parent
    if not (root / ".dvc").exists():
        return
    trusting = storage.trusting(root)
    for name in trusting:
        cure = f"Run: dvc remote modify {name} verify true"
        yield Check("remotes", "warning", f"DVC takes damaged files of {name} for good ones", cure)
    if not trusting and (names := storage.remotes(root)):
        yield Check("remotes", "ok", f"{', '.join(names)}: what they give is checked")


def presets(_: Path) -> Iterator[Check]:
    """Tell which presets fit this machine."""
    fitting = ["smoke"]
    if _memory() >= LAPTOP_MEMORY:
        fitting.append("laptop")
    if _gpu_memory() >= THESIS_GPU_MEMORY:
        fitting.append("thesis")
    more = "" if "thesis" in fitting else f" (thesis: a GPU with {THESIS_GPU_MEMORY} GB)"
    yield Check("presets", "ok", f"{', '.join(fitting)}{more}")


def _gpu_memory() -> float:
    """Return the memory of the largest usable GPU in GB, 0 without one."""
    try:
        import torch
    except ImportError:
        return 0.0
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    sizes = [torch.cuda.get_device_properties(index).total_memory for index in range(count)]
    return max(sizes, default=0) / 1e9
