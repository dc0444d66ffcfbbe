"""A writer is killed at each of its system calls, and each call fails: old file or new one."""

import functools
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy
import pandas
import pytest
import torch

from foreframe.artefacts import atomic, facts, hdf5, tables, tensors
from foreframe.data import video
from foreframe.errors import UserError
from foreframe.training.checkpoints import Checkpoints, Snapshot
from tests import injecting
from tests.foreframe.artefacts.test_atomic import ordinary_user
from tests.injecting import FINE, REFUSED
from tests.needs import needs_program
from tests.smoke import ROOT

KILLED = -9


@dataclass(frozen=True)
class Format:
    """One kind of file: its name, a writer of the content with a number, and its loader."""

    name: str
    write: Callable[[Path, int], object]
    load: Callable[[Path], object]


def write_arrays(path: Path, number: int) -> None:
    # Larger than a chunk and than HDF5's own buffers, and grown like a recording.
    with hdf5.creating(path, "test", {"number": number}) as file:
        hdf5.store(file, "codes", numpy.full((16, 4096), number, numpy.int16), chunks=(8, 4096))
        hdf5.store(file, "names", [f"episode {number}"])
        grown = hdf5.dataset(file, "grown", (0, 64), numpy.uint8, (2, 64), (None, 64))
        for rows in (2, 4):
            grown.resize(rows, axis=0)
            grown[rows - 2 :] = number


def load_arrays(path: Path) -> object:
    with hdf5.opening(path, "test") as file:
        return file["codes"][:].sum() + file["grown"][:].sum()


def write_video(path: Path, number: int) -> None:
    video.write(path, numpy.full((4, 32, 32, 3), 60 * number, numpy.uint8), 0.1)


def write_checkpoint(path: Path, number: int) -> None:
    Checkpoints(path.parent).save(Snapshot(1, {"x": torch.full((9,), number)}, {"n": number}))


FORMATS = [
    Format("arrays.h5", write_arrays, load_arrays),
    Format(
        "weights.safetensors",
        lambda path, number: tensors.write(path, {"w": torch.full((9,), number)}, "test", {}),
        lambda path: tensors.read(path, "test"),
    ),
    Format(
        "facts.json",
        lambda path, number: facts.write(path, "test", {"number": number}),
        lambda path: facts.read(path, "test"),
    ),
    Format(
        "table.csv",
        lambda path, number: tables.write(path, pandas.DataFrame({"x": [number] * 9})),
        lambda path: tables.read(path, ["x"], facts.checksum(path.read_bytes())),
    ),
    Format(
        "report.pdf",
        lambda path, number: atomic.write_bytes(path, b"%PDF" + bytes([number]) * 1_000_000),
        Path.read_bytes,
    ),
    Format("clip.mp4", write_video, Path.read_bytes),
    Format(
        "step-000000000001.safetensors",
        write_checkpoint,
        lambda path: Checkpoints(path.parent).load(),
    ),
]


def traced(call: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that every format goes through, under strace."""

    @functools.wraps(call)
    def test(form: Format, tmp_path: Path) -> None:
        needs_program("strace")
        call(form, tmp_path)

    return pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)(test)


def both(form: Format, folder: Path) -> tuple[bytes, bytes]:
    """Return the bytes of the first and of the second content; also warms every import up."""
    path = folder / "once" / form.name
    found = []
    for number in (1, 2):
        form.write(path, number)
        form.load(path)
        found.append(path.read_bytes())
    assert found[0] != found[1]
    return found[0], found[1]


@traced
def test_killed_at_every_call(form: Format, tmp_path: Path) -> None:
    old, new = both(form, tmp_path)
    path = tmp_path / "out" / form.name
    form.write(path, 1)
    calls = injecting.count(lambda: form.write(path, 2), tmp_path)
    assert {"fsync", "rename"} <= set(calls)
    kills, seen = 0, set()
    for call, times in calls.items():
        for number in range(1, times + 1):
            form.write(path, 1)
            # A call that is made or not by chance, such as one more close, may not be reached.
            end = injecting.kill_at(lambda: form.write(path, 2), call, number)
            assert end.code in (KILLED, FINE), (call, number, end)
            kills += end.code == KILLED
            found = path.read_bytes()
            assert found in (old, new), (call, number)
            seen.add(found)
            form.load(path)
            form.write(path, 2)
            assert path.read_bytes() == new
            assert list(path.parent.iterdir()) == [path], (call, number)
    assert kills >= 0.9 * sum(calls.values())
    assert seen == {old, new}
    sys.stdout.write(f"{form.name}: killed at {kills} calls: {calls}\n")


@traced
def test_the_very_first_file_is_there_whole_or_not_at_all(form: Format, tmp_path: Path) -> None:
    _, new = both(form, tmp_path)
    path = tmp_path / "out" / form.name
    calls = injecting.count(lambda: form.write(path, 2), tmp_path)
    for call in ("mkdir", "write", "fsync", "rename", "close"):
        for number in range(1, calls.get(call, 0) + 1):
            shutil.rmtree(path.parent, ignore_errors=True)
            injecting.kill_at(lambda: form.write(path, 2), call, number)
            assert not path.exists() or path.read_bytes() == new, (call, number)


@traced
def test_every_error_keeps_the_old_file_and_leaves_nothing(form: Format, tmp_path: Path) -> None:
    old, new = both(form, tmp_path)
    path = tmp_path / "out" / form.name
    form.write(path, 1)
    calls = injecting.count(lambda: form.write(path, 2), tmp_path)
    errors = {
        "write": ["ENOSPC", "EIO", "EDQUOT"],
        "pwrite64": ["ENOSPC"],
        "fsync": ["EIO", "ENOSPC"],
        "rename": ["EACCES", "EROFS", "EIO"],
    }
    words = {
        "ENOSPC": "The disk is full",
        "EDQUOT": "The disk is full",
        "EIO": "is failing",
        "EACCES": "Make its folder writable",
        "EROFS": "Make its folder writable",
    }
    failures = 0
    for call, names in errors.items():
        for number in range(1, calls.get(call, 0) + 1):
            for name in names:
                form.write(path, 1)
                end = injecting.fail_at(lambda: form.write(path, 2), call, number, name)
                assert end.code == REFUSED, (call, number, name, end)
                assert words[name] in end.message
                assert str(path) in end.message
                # Only the flush of the folder comes after the new file is there.
                after = call == "fsync" and number == calls["fsync"]
                assert path.read_bytes() == (new if after else old), (call, number, name)
                assert list(path.parent.iterdir()) == [path], (call, number, name)
                failures += 1
    assert failures >= 7


# Fills the disk, or forbids files to grow, and then writes over older files.
FILL = """
import resource, sys
from pathlib import Path
from foreframe.errors import UserError
from tests.foreframe.artefacts.test_crash import FORMATS
folder, way = Path(sys.argv[1]), sys.argv[2]
paths = [folder / form.name / form.name for form in FORMATS]
for form, path in zip(FORMATS, paths):
    form.write(path, 1)
old = [path.read_bytes() for path in paths]
if way == "disk":
    with (folder / "fill").open("wb", buffering=0) as fill:
        try:
            while fill.write(bytes(4096)):
                pass
        except OSError:
            pass
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for form, path in zip(FORMATS, paths):
    try:
        form.write(path, 2)
    except UserError as error:
        sys.stderr.write(f"{error}\\n")
    else:
        sys.exit(f"{path}: nothing was refused")
for path, content in zip(paths, old):
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
"""

MOUNT = 'mount -t tmpfs -o size=4m foreframe "$1" && shift && exec "$@"'


@functools.cache
def can_mount() -> bool:
    """Tell whether this process may have a small disk of its own, as root or in a namespace."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "sh", "-c", MOUNT, "sh", "/tmp", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_full_disk(tmp_path: Path) -> None:
    """On a real small disk where one can be mounted; elsewhere a limit on files stands in."""
    program = [sys.executable, "-c", FILL, str(tmp_path)]
    if can_mount():
        words, command = "The disk is full", ["unshare", "-rm", "sh", "-c", MOUNT, "sh"]
        command += [str(tmp_path), *program, "disk"]
    else:
        words, command = "the largest file size", [*program, "limit"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    lines = run.stderr.splitlines()
    assert len(lines) == len(FORMATS)
    for form, line in zip(FORMATS, lines, strict=True):
        assert words in line
        assert str(tmp_path / form.name / form.name) in line


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["read-only", "closed"])
def test_a_folder_that_cannot_be_written_to(form: Format, mode: int) -> None:
    # Not in tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name, "out")
        form.write(folder / form.name, 1)
        old = (folder / form.name).read_bytes()
        folder.chmod(mode)
        with ordinary_user(), pytest.raises(UserError, match="Make its folder writable"):
            form.write(folder / form.name, 2)
        folder.chmod(0o755)
        assert (folder / form.name).read_bytes() == old
        assert list(folder.iterdir()) == [folder / form.name]


def again(form: Format, path: Path, number: int) -> None:
    for _ in range(60):
        form.write(path, number)


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    """Processes that write the same file again and again never meet half of the other's."""
    form = FORMATS[0]
    old, new = both(form, tmp_path)
    path = tmp_path / "out" / form.name
    form.write(path, 1)
    # Forked, so that both begin at once and no Python starts.
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=again, args=(form, path, number)) for number in (1, 2)]
    try:
        for writer in writers:
            writer.start()
        seen = 0
        while any(writer.is_alive() for writer in writers):
            assert path.read_bytes() in (old, new)
            form.load(path)
            seen += 1
            time.sleep(0.002)
        assert [writer.exitcode for writer in writers] == [0, 0]
        assert seen > 10
        assert list(path.parent.iterdir()) == [path]
    finally:
        for writer in writers:
            writer.kill()
            writer.join(30)
