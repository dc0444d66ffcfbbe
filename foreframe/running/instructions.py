"""Which of the CPU's instructions compute: the last bits of every result depend on them.

Each numeric library chooses its kernels by the CPU it finds. At the level `portable` all of them
keep to what every x86-64 CPU with AVX2 has and to one order of summing, so that CPUs of any maker
and any newer instruction set give the same bytes. At `native` they choose as they like.

The libraries read their switches once, when they are loaded or first used, and never again. So a
program adopts its level before it loads them, and a program that needs another one starts anew.
"""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

from foreframe.errors import UserError

Level = Literal["portable", "native"]

VARIABLE = "FOREFRAME_INSTRUCTIONS"
SWITCHES = {
    # torch's own kernels.
    "ATEN_CPU_CAPABILITY": "avx2",
    # oneDNN: convolutions.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # MKL: matrix products, exponentials and logarithms. Its AVX2 means AUTO on CPUs of AMD.
    "MKL_CBWR": "COMPATIBLE",
    # NumPy's groups above AVX2; a CPU need not have them.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    # OpenBLAS: matrix products of NumPy and SciPy.
    "OPENBLAS_CORETYPE": "Haswell",
}
X86 = ("x86_64", "AMD64")

_adopted: Level | None = None


def adopt() -> None:
    """Switch this process, and those that it starts, to its level: portable if nothing was said.

    To be called before NumPy or torch is loaded; later it has no effect, and `require` says so.
    """
    global _adopted
    if _adopted is not None or {"numpy", "torch"} & sys.modules.keys():
        return
    _adopted = "native" if os.environ.get(VARIABLE) == "native" else "portable"
    # As many threads as there are cores would make sums depend on the machine at either level;
    # `compute.prepare` sets those of torch anew.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    if _adopted == "portable" and _has_avx2():
        os.environ.update(SWITCHES)


def follow(level: Level) -> None:
    """Go on at a level; where this process has the other one, its command is started anew."""
    if _adopted is not None and level != _adopted:
        _restart(level)


def require(level: Level, capability: str) -> None:
    """Refuse to compute at another level than the process has.

    Args:
        level: what the parameters ask for.
        capability: what torch says of the instructions that its kernels use.

    Raises:
        UserError: the process has the other level, none, or the CPU lacks AVX2.
    """
    if platform.machine() not in X86:
        return
    if level == "portable" and capability == "DEFAULT":
        raise UserError(
            "compute.instructions is portable, which needs a CPU with AVX2. This one has none: set "
            "compute.instructions to native."
        )
    if level != _adopted or (level == "portable" and capability != "AVX2"):
        raise UserError(
            f"compute.instructions is {level}, but this process computes otherwise: NumPy or torch "
            "was loaded first. Call foreframe.running.instructions.adopt() before them, or "
            f"start Python with {VARIABLE}={level}."
        )


def agreement(environment: Mapping[str, Any]) -> str:
    """Say which machines give the bytes of a run with this recorded environment."""
    if environment.get("device") != "cpu":
        return "A GPU of the same model with the same versions gives these bytes; others need not."
    if environment.get("instructions") == "portable":
        return (
            "Every x86-64 CPU with AVX2 gives these bytes, with the same versions and as many "
            "threads."
        )
    return (
        f"Computed with all instructions of its CPU ({environment.get('cpu_instructions')}): a CPU "
        "of another maker or with other instructions need not give these bytes."
    )


def _has_avx2() -> bool:
    """Tell whether the CPU can run what the switches ask for: torch would not look."""
    known = Path("/proc/cpuinfo")  # Linux alone has it; elsewhere such old CPUs are not supported
    return not known.exists() or " avx2 " in known.read_text(encoding="ascii", errors="replace")


def _restart(level: Level) -> NoReturn:
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**kept, VARIABLE: level})
