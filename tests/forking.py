"""Commands of DVC and Snakemake in a process of their own that need not import them first.

A child is forked and calls the function that the command line calls, so all that a start would do
is done but the imports. Its output is what it and its own children write to their descriptors.
"""

import io
import logging
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from dvc import logger
from dvc.cli import main as dvc
from snakemake.cli import main as snakemake

from tests.smoke import PROGRAMS

MAINS = {"dvc": dvc, "snakemake": snakemake}


def run(folder: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `dvc ...` or `snakemake ...` in a folder; return its exit code and all it printed."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = _call(folder, command, output.fileno())
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return subprocess.CompletedProcess(
            command, os.waitstatus_to_exitcode(status), output.read(), ""
        )


def _call(folder: Path, command: Sequence[str], output: int) -> int:
    """Be the command, in a child: with its folder, its words, its variables and its output."""
    os.chdir(folder)
    os.environ["PATH"] = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
    sys.argv = [*command]
    # As at a start: what pytest and others have set since is not the command's.
    for name in ("dvc", "dvc_objects", "dvc_data"):
        logging.getLogger(name).handlers.clear()
    logging.disable(logging.NOTSET)
    logger.setup()
    try:
        code = _ended(lambda: MAINS[command[0]](command[1:]))
    except BaseException:  # noqa: BLE001, whatever it is, this process must not go on as pytest
        traceback.print_exc()
        code = 71
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _ended(main: Callable[[], object]) -> int:
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    return code if isinstance(code, int) else int(code is not None)
