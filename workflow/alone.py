"""One run of the DAG at a time, and nothing in its way that a killed one left behind.

    python -m workflow.alone dvc repro

`make report` and every `snakemake` go through here: the second waits for the first. By themselves
DVC refuses a path that another run uses, and Snakemake removes it. DVC also writes some files in
place, each study's dvc.lock and its list of used paths. A kill in that moment tears them, and the
number of a killed process can live on, as a zombie or as another process; DVC would refuse to work
until somebody steps in. Here all are put right first.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from foreframe.artefacts import atomic
from workflow import studies

FOLDER = Path(".dvc", "tmp")
# What dvc.lock notes of every path in a stage's entry.
NOTED = {"path", "hash", "md5", "size"}
# How the Snakefile calls `dvc` for one stage.
WAITING = "--wait-for-lock"
SINGLE = f"{WAITING} repro --quiet"
PAUSE = 0.2  # seconds between two looks at what is waited for

Use = dict[str, Any]  # of a path by a `dvc`: pid, cmd


def hold(root: Path) -> int:
    """Wait until no other run is at work in the project `root`, and mend what a killed one tore.

    Returns an open file descriptor: the run lasts until it is closed or the process ends.
    """
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / FOLDER / "run.lock", os.O_RDWR | os.O_CREAT, 0o666)
    _lock(descriptor, "another run is at work here; waiting for it")
    _await_survivors(root)
    with steady(root):
        return descriptor


@contextlib.contextmanager
def steady(root: Path) -> Iterator[None]:
    """For as long as the block takes, every dvc.lock is whole and nobody writes to it."""
    with _guarded(root / FOLDER / "lock"):
        # DVC reads all of them, whichever study is asked for.
        for place in studies.places(root):
            _mend_lock(root, place.lock)
        yield


def _lock(descriptor: int, words: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(words)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        # Some network file systems have no locks.
        _say(f"files cannot be locked here ({error.strerror}): do not start two runs at once")


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Hold one of DVC's own lock files, so that no file is judged while it is written.

    It is not made where there is none: under core.hardlink_lock, to be there is to be held.
    """
    if not path.exists():
        yield
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        _lock(descriptor, "dvc is at work here; waiting for it")
        yield
    finally:
        os.close(descriptor)


def _await_survivors(root: Path) -> None:
    """Wait for each `dvc` that works on a stage: one by hand, or one that outlived its engine."""
    said = False
    while users := [*_mend_uses(root), *_beginning(root)]:
        if not said:
            _say(f"process {users[0]['pid']} ({users[0]['cmd']}) is at work here; waiting for it")
            said = True
        time.sleep(PAUSE)


def _beginning(root: Path) -> list[Use]:
    """Return what Snakemake had started for a stage when it was killed, noted by nobody so far."""
    own = psutil.Process()
    ours = {own.pid, *(parent.pid for parent in own.parents())}
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or ())
        if SINGLE in line and process.info["cwd"] == str(root.resolve()):
            found.append({"pid": process.info["pid"], "cmd": line})
    return [use for use in found if use["pid"] not in ours]


def _mend_uses(root: Path) -> list[Use]:
    """Drop from DVC's list of used paths the processes that run no more; return the others."""
    path = root / FOLDER / "rwlock"
    with _guarded(root / FOLDER / "rwlock.lock"):
        if not path.exists():
            return []
        text = path.read_text(encoding="utf-8")
        try:
            content = json.loads(text)
        except ValueError:
            content = {}
        readers = {
            name: [use for use in uses if _runs(use)]
            for name, uses in content.get("read", {}).items()
        }
        writers = {name: use for name, use in content.get("write", {}).items() if _runs(use)}
        kept = {"read": {name: uses for name, uses in readers.items() if uses}, "write": writers}
        if json.dumps(kept) != text:
            atomic.write_text(path, json.dumps(kept))
        return [*(use for uses in readers.values() for use in uses), *writers.values()]


def _runs(use: Use) -> bool:
    """Tell whether a process is the `dvc` it was noted as; numbers are given out again."""
    arguments = use["cmd"].partition(" ")[2]
    try:
        line = " ".join(psutil.Process(use["pid"]).cmdline())
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
    return "dvc" in line and line.endswith(arguments)


def _mend_lock(root: Path, name: str) -> None:
    """Put the committed dvc.lock in the place of a torn one; the run cache knows what is newer."""
    path, torn = root / name, FOLDER / f"{name}.torn".replace("/", ".")
    if not path.exists() or _whole(path.read_bytes()):
        return
    path.rename(root / torn)
    committed = subprocess.run(
        ["git", "show", f"HEAD:./{name}"], cwd=root, capture_output=True, check=False
    )
    found = committed.returncode == 0 and _whole(committed.stdout)
    if found:
        atomic.write_bytes(path, committed.stdout)
    instead = "the committed one stands in" if found else "it is made again"
    _say(f"a killed run left {name} torn: it is in {torn}, and {instead}")


def _whole(content: bytes) -> bool:
    """Tell whether a dvc.lock is whole: it ends with a line, and nothing in its entries is cut."""
    try:
        stages = YAML(typ="safe").load(content)["stages"].values()
        paths = [
            path for stage in stages for kind in ("deps", "outs") for path in stage.get(kind, [])
        ]
        return content.endswith(b"\n") and all(set(path) >= NOTED for path in paths)
    except (YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
        return False


def _say(text: str) -> None:
    sys.stderr.write(f"{text}.\n")


def main(command: list[str]) -> None:
    """Run a command alone; it takes this process's place, and so its signals and exit code."""
    if not command:
        sys.exit("usage: python -m workflow.alone COMMAND...")
    program, *words = command
    if Path(program).name == "dvc":
        # Who reads the DAG meanwhile holds DVC's lock, for longer than DVC has patience by itself.
        words.insert(0, WAITING)
    survives = True  # the change of programs
    os.set_inheritable(hold(Path.cwd()), survives)
    os.execvp(program, [program, *words])


if __name__ == "__main__":
    main(sys.argv[1:])
