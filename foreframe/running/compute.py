"""Where a stage computes: one device, deterministic kernels only, and a record of the environment.

Deterministic mode raises on an operation that has no deterministic kernel; there is no softer
setting, because a warning that scrolls past is how irreproducible numbers come about.
"""

import contextlib
import os
import platform
from typing import Any

import torch

from foreframe.config.compute import Compute
from foreframe.errors import UserError
from foreframe.running import instructions


def prepare(compute: Compute) -> torch.device:
    """Set threads, precision and deterministic kernels for this process; return its device.

    Raises:
        UserError: a GPU is asked for and none is usable, or this process computes with other CPU
            instructions than those asked for.
    """
    instructions.require(compute.instructions, torch.backends.cpu.get_cpu_capability())
    # cuBLAS reads this when CUDA starts; without it some of its kernels are not repeatable.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(compute.threads)
    # Not use_deterministic_algorithms, which sets the same and then loads torch's compiler, 1.3 s.
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    allow_tf32 = compute.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allow_tf32
    torch.backends.cudnn.allow_tf32 = allow_tf32
    # Filling fresh memory with NaN guards against reading it; it costs time and no stage needs it.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010, untyped
    return _device(compute)


def _device(compute: Compute) -> torch.device:
    usable = torch.cuda.is_available()
    if compute.device == "cuda" and not usable:
        raise UserError(
            "compute.device is cuda, but torch finds no usable NVIDIA GPU here. "
            "Set it to auto or cpu, or see `foreframe doctor`."
        )
    return torch.device("cuda" if usable and compute.device != "cpu" else "cpu")


def autocast(device: torch.device, compute: Compute) -> contextlib.AbstractContextManager[Any]:
    """Return the context for forward passes: bfloat16 where asked for, else as it is."""
    if compute.precision != "bfloat16":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def environment(device: torch.device, compute: Compute) -> dict[str, Any]:
    """Return what the numbers of a stage may depend on besides its inputs, as JSON facts.

    No host name, user or path: the record travels with the artefacts.
    """
    on_gpu = device.type == "cuda"
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if on_gpu else None,
        "cuda": torch.version.cuda if on_gpu else None,
        "cudnn": torch.backends.cudnn.version() if on_gpu else None,
        "instructions": compute.instructions,
        "cpu_instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "precision": compute.precision,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }
