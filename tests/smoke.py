"""The smoke pipeline: the project as it stands, copied to a folder of its own and run there."""

import atexit
import contextlib
import functools
import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from workflow import cli, preset

ROOT = Path(__file__).resolve().parent.parent
PRESETS = ROOT / "studies/driving/presets"
# What a clone has beside the main study, unless a test names others.
FURTHER = ("driving_thesis", "learned_simulator")


def parameters(name: str = "smoke") -> dict[str, Any]:
    """Return the driving study's parameters at the scale of a preset."""
    return preset.values(name, PRESETS)


PROGRAMS = Path(sys.executable).parent

# Stands in for `python` in the stages' commands: records the files and sockets they open.
TRACER = """#!/bin/sh
exec strace -f -qq --seccomp-bpf -e trace=open,openat,creat,rename,renameat,renameat2,socket \
    -e status=successful -o "{traces}/$2.$$" "{python}" "$@"
"""


@dataclass(frozen=True)
class Clone:
    """A clean copy of the project; `traces` holds the files opened by its stages, if any."""

    folder: Path
    traces: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone, with the programs of this environment first in PATH."""
        result = subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True
        )
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)}\n{result.stdout}\n{result.stderr}")
        return result

    def _environment(self) -> dict[str, str]:
        path = [str(self.traces / "bin"), str(PROGRAMS), os.environ["PATH"]]
        # Home is the clone, so that no setting or cache of this machine is read or shared.
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return {**kept, "PATH": os.pathsep.join(path), "HOME": str(self.traces)}


def clone(folder: Path, *studies: str) -> Clone:
    """Return a new repository of the project's files (those git tracks or would track), but tests.

    Beside the main study it has those that are named, or two: what holds for these does not
    depend on how many there are, and to read all takes DVC ten times as long.
    """
    _git(ROOT, "clone", "-q", str(_template(studies or FURTHER)), str(folder))
    result = Clone(folder, folder.with_name(folder.name + ".home"))
    result.traces.mkdir(parents=True)
    return result


@functools.cache
def _template(studies: tuple[str, ...]) -> Path:
    """Return a repository with these studies; a process makes it once, and removes it."""
    folder = Path(tempfile.mkdtemp(prefix="foreframe-smoke-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    names = _git(ROOT, "ls-files", "-co", "--exclude-standard", "-z").split("\0")
    for name in sorted(filter(None, set(names))):
        top, _, rest = name.partition("/")
        study = rest.partition("/")[0] if top == "studies" and "/" in rest else "driving"
        kept = top != "tests" and study in {"driving", *studies} and Path(name).name != "dvc.lock"
        if kept and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    assert foreframe(folder, "preset", "smoke").returncode == 0
    _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    _git(folder, *who, "commit", "-qm", "start")
    _git(folder, "repack", "-adq")  # a clone links one file then
    return folder


def copy(other: Clone, folder: Path, study: str | None = None) -> Clone:
    """Copy a clone with all it has made, for a test that changes it; nothing is traced there.

    A study that it lacks is put beside those it has.
    """
    shutil.copytree(other.folder, folder)
    if study is not None:
        place = Path("studies", study)
        shutil.copytree(ROOT / place, folder / place)
        (folder / place / "dvc.lock").unlink(missing_ok=True)
        assert foreframe(folder, "preset", "smoke", "--study", study).returncode == 0
    result = Clone(folder, folder.with_name(folder.name + ".home"))
    result.traces.mkdir()
    return result


def foreframe(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command `foreframe` in a folder, in this process: the start of Python is saved."""
    out, errors = io.StringIO(), io.StringIO()
    code: object = 0
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, {"PATH": path}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            cli.main(words)
        except SystemExit as end:
            code = end.code
    if isinstance(code, str):  # what Python writes, and the code it ends with then
        errors.write(f"{code}\n")
        code = 1
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, out.getvalue(), errors.getvalue())


def trace(result: Clone) -> None:
    """From now on record the files that the clone's stages open.

    All code is compiled first, so that what is imported shows as an opened .pyc file.
    """
    result.run(sys.executable, "-m", "compileall", "-q", "foreframe", "stages")
    shim = result.traces / "bin" / "python"
    shim.parent.mkdir()
    shim.write_text(TRACER.format(traces=result.traces, python=sys.executable))
    shim.chmod(0o755)


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
