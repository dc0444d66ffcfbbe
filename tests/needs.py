"""What some tests use of a machine: programs, a GPU, a network that can be cut off.

Without a program a test skips on a desk and fails in CI, which can install it. What only another
kernel or machine could give (a GPU, user namespaces) is a reason to skip anywhere.
"""

import functools
import os
import shutil
import subprocess

import pytest
import torch

# Runs a command in which no network exists but for a loopback that is down; no root needed.
CUT_OFF = ("unshare", "--map-root-user", "--net")


def has_program(name: str) -> bool:
    """Tell whether a program is in PATH."""
    return shutil.which(name) is not None


def needs_program(name: str) -> None:
    """Skip the running test where a program is not installed; under CI fail it instead."""
    if has_program(name):
        return
    message = f"needs the program {name}, which is not installed; .ci/run installs it"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def needs_gpu() -> None:
    """Skip the running test where torch finds no NVIDIA GPU."""
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")


def needs_cut_off() -> None:
    """Skip the running test where the network cannot be cut off from one command."""
    needs_program("unshare")
    if not _can_cut_off():
        pytest.skip("needs user namespaces, which this kernel or container forbids")


@functools.cache
def _can_cut_off() -> bool:
    return subprocess.run([*CUT_OFF, "true"], capture_output=True, check=False).returncode == 0
