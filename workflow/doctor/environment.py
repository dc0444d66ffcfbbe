"""What is installed: Python, programs, packages, torch and what GPU it can use."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from workflow.doctor.check import GIB, SET_UP, Check

ROOT = Path(__file__).resolve().parents[2]

SHOWN = 3  # deviating packages that are named


def python(_: Path) -> Iterator[Check]:
    """Check the version of Python."""
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check(
        "python",
        "ok" if supported else "missing",
        sys.version.split()[0],
        "" if supported else "Install Python 3.11, 3.12 or 3.13; then make clean, make setup",
    )


def programs(_: Path) -> Iterator[Check]:
    """Check that git, DVC and Snakemake are found and start."""
    for name in ("git", "dvc", "snakemake"):
        path = shutil.which(name)
        if path is None:
            cure = "Install git" if name == "git" else f"{SET_UP}; then: . .venv/bin/activate"
            yield Check(name, "missing", "not in PATH", cure)
            continue
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"\d[\w.]*", answer.stdout)
        works = answer.returncode == 0 and version is not None
        detail = version[0] if works and version else f"{path} does not start"
        yield Check(name, "ok" if works else "missing", detail, "" if works else SET_UP)


def packages(_: Path) -> Iterator[Check]:
    """Check that the installed packages are those of the lock."""
    wrong = [
        f"{name} {found or 'missing'} instead of {wanted}"
        for name, wanted in locked(ROOT / "requirements" / "core.lock").items()
        if (found := installed(name)) != wanted
    ]
    if not wrong:
        yield Check("packages", "ok", "as in requirements/core.lock")
        return
    more = f"; {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    yield Check("packages", "warning", "; ".join(wrong[:SHOWN]) + more, SET_UP)


def locked(path: Path) -> dict[str, str]:
    """Return {name: version} of the packages that a lock demands on every platform."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", path.read_text(encoding="utf-8"), re.M))


def installed(name: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_and_gpu(_: Path) -> Iterator[Check]:
    """Check torch, its build, and what GPU it can use."""
    from workflow import install

    try:
        import torch
    except ImportError as error:
        yield Check("torch", "missing", str(error), SET_UP)
        return
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    yield Check("torch", "ok", f"{torch.__version__} ({build} build)")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            yield Check("gpu", "ok", f"{facts.name}, {facts.total_memory / GIB:.0f} GiB")
    elif not install.has_nvidia_gpu():
        yield Check("gpu", "ok", "no NVIDIA GPU; everything runs on the CPU")
    elif torch.version.cuda:
        yield Check("gpu", "warning", "torch cannot use it", "Update the NVIDIA driver")
    else:
        cure = "Run: make clean, then make setup TORCH=cuda"
        yield Check("gpu", "warning", "there is one, but torch is the CPU build", cure)
