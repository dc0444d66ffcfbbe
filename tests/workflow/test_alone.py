"""One run at a time; what a killed one tore is mended, and what is whole is left as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import killing
from tests.killing import started
from tests.smoke import ROOT
from tests.workflow import tiny
from tests.workflow.test_dag_errors import make
from workflow import alone

ALONE = ("python", "-m", "workflow.alone", "dvc", "repro")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.make(tmp_path_factory.mktemp("finished"))
    tiny.run(folder, *ALONE)
    return folder


def hold_and_leave(folder: Path) -> None:
    os.close(alone.hold(folder))


def test_the_committed_lock_is_whole_and_stays_as_it_is(tmp_path: Path) -> None:
    content = (ROOT / "dvc.lock").read_bytes()
    (tmp_path / "dvc.lock").write_bytes(content)
    hold_and_leave(tmp_path)
    assert (tmp_path / "dvc.lock").read_bytes() == content


def test_a_lock_cut_anywhere_is_made_again(finished: Path, tmp_path: Path) -> None:
    whole = (finished / "dvc.lock").read_bytes()
    stages = tiny.lock(finished)
    path = tmp_path / "dvc.lock"
    for cut in range(0, len(whole), 29):
        path.write_bytes(whole[:cut])
        hold_and_leave(tmp_path)
        # What is left after a cut between two entries is as right as before.
        if path.exists():
            kept = tiny.lock(tmp_path)
            assert all(stages[name].items() >= kept[name].items() for name in [*kept][:-1]), cut
        else:
            assert (tmp_path / alone.FOLDER / "dvc.lock.torn").read_bytes() == whole[:cut]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_dvc_refuses_a_torn_lock_and_goes_on_once_it_is_mended(
    share: float, finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    subprocess.run(["cp", "-r", str(finished), str(folder)], check=True)
    whole = (folder / "dvc.lock").read_bytes()
    (folder / "dvc.lock").write_bytes(whole[: int(share * len(whole))])
    said = tiny.run(folder, *ALONE)
    assert "left dvc.lock torn" in said
    # Nothing is computed anew: DVC's cache knows the runs.
    assert "Running stage" not in said
    assert tiny.lock(folder) == tiny.lock(finished)


def test_a_torn_lock_gives_way_to_the_committed_one(finished: Path, tmp_path: Path) -> None:
    whole = (finished / "dvc.lock").read_bytes()
    (tmp_path / "dvc.lock").write_bytes(whole)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "dvc.lock"], cwd=tmp_path, check=True)
    name = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *name, "commit", "-qm", "lock"], cwd=tmp_path, check=True)
    (tmp_path / "dvc.lock").write_bytes(b"")
    hold_and_leave(tmp_path)
    assert (tmp_path / "dvc.lock").read_bytes() == whole


@pytest.mark.parametrize("committed", [True, False])
def test_the_lock_of_every_study_is_mended(committed: bool, tmp_path: Path) -> None:
    folder = tiny.make_both(tmp_path / "project")
    both = ("dvc.yaml", "studies/songs/dvc.yaml")
    tiny.run(folder, *ALONE, *both)
    locks = {name: (folder / name).read_bytes() for name in ("dvc.lock", tiny.SONGS_LOCK)}
    if committed:
        tiny.run(folder, "git", "add", *locks)
        name = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        tiny.run(folder, "git", *name, "commit", "-qm", "locks")
    path = folder / tiny.SONGS_LOCK
    path.write_bytes(path.read_bytes()[:-9])
    # DVC reads every lock, so even the main study could not be run.
    said = tiny.run(folder, *ALONE)
    assert f"left {tiny.SONGS_LOCK} torn" in said
    assert (folder / alone.FOLDER / "studies.songs.dvc.lock.torn").exists()
    assert "Running stage" not in tiny.run(folder, *ALONE, *both)
    assert {name: (folder / name).read_bytes() for name in locks} == locks


@pytest.mark.parametrize("text", ["", '{"write": {', '{"write": {"/x": {"pid": 1, "c'])
def test_a_torn_list_of_used_paths(text: str, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    subprocess.run(["cp", "-r", str(finished), str(folder)], check=True)
    (folder / alone.FOLDER / "rwlock").write_text(text)
    tiny.run(folder, *ALONE)
    assert tiny.lock(folder) == tiny.lock(finished)


def test_a_number_that_now_belongs_to_another_process_is_no_user(tmp_path: Path) -> None:
    own = {"pid": os.getppid(), "cmd": "/usr/bin/dvc repro"}
    (tmp_path / alone.FOLDER).mkdir(parents=True)
    path = tmp_path / alone.FOLDER / "rwlock"
    path.write_text(json.dumps({"write": {"/a": own}, "read": {"/b": [own]}}))
    hold_and_leave(tmp_path)
    assert json.loads(path.read_text()) == {"write": {}, "read": {}}


def test_a_process_that_still_uses_a_path_is_waited_for(tmp_path: Path) -> None:
    code = "import time; time.sleep(1.5)  # stands in for dvc"
    (tmp_path / alone.FOLDER).mkdir(parents=True)
    path = tmp_path / alone.FOLDER / "rwlock"
    with subprocess.Popen([sys.executable, "-c", code]) as user:
        entry = {"pid": user.pid, "cmd": f"-c {code}"}
        path.write_text(json.dumps({"write": {"/a": entry}}))
        hold_and_leave(tmp_path)
        assert user.poll() is not None or not alone._runs(entry)


def test_an_orphan_that_has_noted_nothing_so_far_is_waited_for(tmp_path: Path) -> None:
    """Snakemake is killed while the `dvc` of a stage still starts; elsewhere another one runs."""
    assert alone.SINGLE in (ROOT / "Snakefile").read_text()
    code = "import time; time.sleep(1.5)"
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    words = [sys.executable, "-c", code, *alone.SINGLE.split(), "--single-item", "collect"]
    with subprocess.Popen(words, cwd=here) as orphan:
        hold_and_leave(there)
        assert orphan.poll() is None
        hold_and_leave(here)
        assert orphan.poll() == 0


def test_the_second_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    (tmp_path / "foreframe").symlink_to(ROOT / "foreframe")
    ours = alone.hold(tmp_path)
    with started(["python", "-m", "workflow.alone", "true"], tmp_path) as second:
        killing.await_true(lambda: "waiting for it" in second.text, "its word")
        assert second.process.poll() is None
        os.close(ours)
        assert second.wait(30) == 0


# A stage during which somebody else takes DVC's lock, as who reads the DAG does.
BORROWED = """
import subprocess, sys
keep = "import fcntl, time; held = open('.dvc/tmp/lock'); fcntl.flock(held, fcntl.LOCK_EX)"
last = "print(flush=True); time.sleep(6)"
holder = subprocess.Popen([sys.executable, "-c", f"{keep}; {last}"], stdout=subprocess.PIPE)
holder.stdout.readline()
open("out", "w").close()
"""


def test_a_run_outlasts_who_holds_the_lock_for_longer_than_dvc_waits(tmp_path: Path) -> None:
    folder = make(tmp_path, "stages:\n  a:\n    cmd: python stage.py\n    outs: [out]")
    (folder / "stage.py").write_text(BORROWED)
    assert "Running stage 'a'" in tiny.run(folder, *ALONE)
    assert "out" in (folder / "dvc.lock").read_text()


def test_exit_codes_are_those_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    (tmp_path / "foreframe").symlink_to(ROOT / "foreframe")
    with started(["python", "-m", "workflow.alone", "sh", "-c", "exit 7"], tmp_path) as running:
        assert running.wait(30) == 7
    with started(["python", "-m", "workflow.alone"], tmp_path) as running:
        assert running.wait(30) == 1
        assert "usage" in running.text
