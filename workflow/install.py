"""Sets up .venv from the hash-locked requirements; `make` runs it, before anything is installed.

The build of torch follows the machine: PyPI's, which brings CUDA, only where there is a GPU for it.
"""

import argparse
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"

# PyPI has no CPU build of torch for Linux; PyTorch's own index has.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# A lock holds every package with its hashes, so pip neither resolves nor trusts an index. A package
# that is published as source is built with the locked setuptools, not with a fresh download.
# pip would compile modules on one core; `compile_modules` takes all.
INSTALL = (
    *("install", "--quiet", "--no-input", "--disable-pip-version-check"),
    *("--no-deps", "--no-compile"),
)
LOCKED = (*INSTALL, "--no-build-isolation", "--require-hashes", "--requirement")
# Tests, and files that say in their names of which newer Python they are.
UNCOMPILED = r"/tests?/|/py3\d+_[^/]*$"

Pip = Callable[[Sequence[str]], str | None]


class InstallError(Exception):
    """What went wrong, in words for a user."""


def main() -> None:
    """Set up .venv; end with exit code 1 and a plain message where that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), required=True)
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        create(ENVIRONMENT)
        for step in install(pip(ENVIRONMENT), torch_build(arguments.torch), dev=arguments.dev):
            print(step, flush=True)
        if not compile_modules(ENVIRONMENT):
            print("Not every module could be compiled: those start slower, and run as well.")
    except InstallError as error:
        sys.exit(f"error: {error}")
    print(f"Set up in {time.monotonic() - started:.0f} s.")


def torch_build(choice: str) -> str:
    """Return `cpu` or `cuda`: the choice itself, or for `auto` what the machine has."""
    if choice != "auto":
        return choice
    return "cuda" if has_nvidia_gpu() else "cpu"


def has_nvidia_gpu() -> bool:
    """Tell whether NVIDIA's driver lists a GPU that this machine, or container, can use."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    answer = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and "GPU " in answer.stdout


def create(environment: Path) -> None:
    """Make the virtual environment where there is none.

    Raises:
        InstallError: this Python comes without what that takes.
    """
    if (environment / "bin" / "pip").exists():
        return
    try:
        venv.create(environment, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError:
        raise InstallError(
            f"{sys.executable} cannot make a virtual environment with pip in {environment}. "
            "On Debian and Ubuntu: apt install python3-venv. Then run make again."
        ) from None


def pip(environment: Path) -> Pip:
    """Return a function that runs pip and returns None, or the end of its output if it failed."""

    def run(arguments: Sequence[str]) -> str | None:
        command = [str(environment / "bin" / "python"), "-m", "pip", *arguments]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return None
        return "\n".join((answer.stdout + answer.stderr).splitlines()[-12:])

    return run


def install(pip: Pip, torch: str, *, dev: bool) -> Iterator[str]:
    """Install everything with the build of torch given; yield a line before each step.

    Raises:
        InstallError: a step failed.
    """
    yield "Setting up .venv: packages from requirements/core.lock ..."
    _require(pip, [*LOCKED, "requirements/build.lock"])
    _require(pip, [*LOCKED, "requirements/core.lock"])
    yield f"Setting up .venv: torch, {torch} build ..."
    if torch == "cuda":
        _require(pip, [*LOCKED, "requirements/torch-cuda.lock"])
    else:
        install_cpu_torch(pip)
    if dev:
        yield "Setting up .venv: packages from requirements/dev.lock ..."
        _require(pip, [*LOCKED, "requirements/dev.lock"])
    yield "Setting up .venv: the command foreframe ..."
    _require(pip, [*INSTALL, "--no-build-isolation", "--editable", "."])
    _require(pip, ["check", "--disable-pip-version-check"])


def install_cpu_torch(pip: Pip) -> None:
    """Install torch's CPU build: from where pip looks anyway, else from PyTorch's own index.

    Where pip is not told of a wheel it says so at once, since PyPI has none; nothing is downloaded
    twice. The hashes make it the same file from either place.

    Raises:
        InstallError: neither place has a wheel with a locked hash for this Python.
    """
    lock = "requirements/torch-cpu.lock"
    if pip([*LOCKED, lock]) is not None:
        _require(pip, [*LOCKED, lock, "--index-url", CPU_INDEX])


def compile_modules(environment: Path) -> bool:
    """Compile what was installed to bytecode, save its tests; return whether all could be.

    Python would do so at a module's first import, but not where PYTHONDONTWRITEBYTECODE is set, as
    in many containers, or where the folder is read-only: there every stage would compile torch
    anew, for seconds. What fails is left to that import.
    """
    # From the folder itself, so that the pattern is not matched with the path to it.
    program = [str(environment / "bin" / "python"), "-m", "compileall", "-qq", "-j", "0"]
    command = [*program, "-x", UNCOMPILED, "lib"]
    answer = subprocess.run(command, cwd=environment, capture_output=True, check=False)
    return answer.returncode == 0


def _require(pip: Pip, arguments: Sequence[str]) -> None:
    failure = pip(arguments)
    if failure is not None:
        raise InstallError(
            f"pip {' '.join(arguments)} failed:\n{failure}\n"
            "Check the network and the free disk space (3 GB, with CUDA 10 GB), then run make "
            "again; what is installed already stays."
        )


if __name__ == "__main__":
    main()
