"""Ways to damage the tiny project of tests/workflow/tiny.py, and `foreframe verify` run on it."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests import forking, smoke
from tests.smoke import PROGRAMS
from tests.workflow import engines, tiny
from workflow import verify
from workflow.verification import findings, study
from workflow.verification.findings import Finding
from workflow.verification.hashing import Tally


def make(folder: Path) -> Path:
    """Make the tiny project, run it, and commit what git is to hold."""
    return _run(tiny.make(folder))


def make_both(folder: Path) -> Path:
    """Make the tiny project with its second study, run both, and commit what git is to hold."""
    return _run(tiny.make_both(folder), "dvc.yaml", "studies/songs/dvc.yaml")


def _run(folder: Path, *targets: str) -> Path:
    with (folder / ".gitignore").open("a") as file:
        file.write("/.dvc/cache\n/.dvc/tmp\n")
    tiny.run(folder, "git", "add", "-A")
    tiny.run_by_dvc(folder, *targets)
    return folder


def copy(made: Path, folder: Path, *, remote: bool) -> Path:
    """Copy a project that has been run; DVC has looked at every file of it, and trusts them."""
    shutil.copytree(made, folder, symlinks=True)
    assert engines.status(folder) == set()
    if remote:
        tiny.run(folder, "dvc", "remote", "add", "far", str(folder.with_name("far")))
        tiny.run(folder, "dvc", "push", "-r", "far")
    return folder


def flip(path: Path) -> None:
    """Flip a bit in place; mode, size, time and inode stay as they were."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    kept = ("st_ino", "st_mode", "st_size", "st_mtime_ns")
    assert [getattr(before, name) for name in kept] == [getattr(after, name) for name in kept]


def cached(folder: Path, path: str) -> Path:
    """Return the object of an output in the project's cache."""
    return stored(folder / ".dvc" / "cache", folder, path)


def stored(store: Path, folder: Path, path: str) -> Path:
    """Return the object of an output in a store of DVC's."""
    digest = study.read(folder).digest(path)
    return store / "files" / "md5" / digest[:2] / digest[2:]


def look(folder: Path, *, cache: bool = False, remote: str = "") -> list[Finding]:
    """Return what `foreframe verify` finds in a project."""
    return list(verify.check(folder, verify.Options((), cache, remote), Tally()))


def follow(folder: Path, found: list[Finding]) -> None:
    """Run the commands of every finding, in the order they are printed."""
    assert any(finding.cure.commands for finding in found), [finding.cure for finding in found]
    for finding in found:
        for command in finding.cure.commands:
            words = shlex.split(command)
            # A shell reads what is printed; these words it would leave as they are.
            plain = shlex.join(words) == command and words[0] in forking.MAINS
            tiny.run(folder, *(words if plain else ("sh", "-c", command)))


def heal(folder: Path, found: list[Finding], again: Callable[[], list[Finding]]) -> None:
    """Follow the printed cures until nothing is found; three rounds must be enough."""
    for _ in range(3):
        if not found:
            return
        follow(folder, found)
        found = again()
    text = "\n".join(line for finding in found for line in finding.lines())
    assert findings.exit_code(found) == 0, text


def cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `foreframe verify` in this process."""
    return smoke.foreframe(folder, "verify", *arguments)


def started(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run `foreframe verify` as a user does, with another folder first in Python's path."""
    return subprocess.run(
        ["python", "-m", "workflow.cli", "verify"],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": path,
        },
        capture_output=True,
        text=True,
    )
