"""System programs that some tests use: without one they skip on a desk and fail in CI."""

import os
import shutil

import pytest


def has_program(name: str) -> bool:
    """Tell whether a program is in PATH."""
    return shutil.which(name) is not None


def needs_program(name: str) -> None:
    """Skip the running test where a program is not installed; under CI fail it instead."""
    if has_program(name):
        return
    message = f"needs the program {name}, which is not installed"
    if os.environ.get("CI"):
        pytest.fail(f"{message}; .ci/run installs what the tests use")
    pytest.skip(message)
