"""Attempts at a drive in processes of their own: a lost server costs time and nothing else."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe.errors import UserError
from foreframe.sources import Block, Row, carla
from foreframe.sources.carla import process as carla_process
from foreframe.sources.carla import world as carla_world
from foreframe.sources.carla.process import TRIES, attempt, whole
from foreframe.sources.carla.world import LostError
from tests.foreframe.sources.carla_blocks import block, blocks, endless, orphan, stopped
from tests.foreframe.sources.carla_double import Library
from tests.foreframe.sources.carla_double_server import Server
from tests.foreframe.sources.carla_setting import make, same

# A package `carla` whose server, new in each process, fails as the next line of a file says.
PACKAGE = """
import json, os
from pathlib import Path
from tests.foreframe.sources.carla_double import Library
from tests.foreframe.sources.carla_double_server import Server

plan = Path(__file__).with_name("plan.json")
faults, *rest = json.loads(plan.read_text())
plan.write_text(json.dumps(rest))
if faults.pop("abort", False):
    os._exit(134)
library = Library(Server(**faults))


def __getattr__(name):
    return getattr(library, name)
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *plan: dict[str, Any]) -> Path:
    """Put the package in the way of new processes and return the file of faults yet to come."""
    (folder / "carla.py").write_text(PACKAGE)
    (folder / "plan.json").write_text(json.dumps(plan))
    monkeypatch.syspath_prepend(folder)
    return folder / "plan.json"


def collect(chosen: carla.Settings, first: int = 0) -> list[tuple[str, list[Row]]]:
    """Return origin and rows of each episode."""
    result = []
    for episode in carla.stream(chosen, 3, Path("unused"), 2, first).episodes:
        assert episode.total == chosen.episodes
        (block,) = episode.blocks
        rows = zip(block.frames, block.actions, block.states, strict=True)
        result.append((episode.origin, list(rows)))
    return result


def undisturbed(chosen: carla.Settings, number: int) -> tuple[str, list[Row]]:
    """Return the same of one episode, made in this process."""
    job = carla.journey(3, number)
    rows = carla_world.record(Library(Server()), chosen, job)
    stored: list[Row] = [(a, b.astype(numpy.float32), c.astype(numpy.float32)) for a, b, c in rows]
    return f"seed {job.traffic_seed}", stored


def test_a_lost_server_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It drops; then the client ends its process; then nobody answers; then all is well."""
    lost: list[dict[str, Any]] = [{"drop_after": 9}, {"abort": True}, {"deaf": True}]
    plan = install(tmp_path, monkeypatch, {}, *lost, {})
    chosen = make(episodes=1)
    ((origin, rows),) = collect(chosen)
    assert json.loads(plan.read_text()) == []
    expected = undisturbed(chosen, 0)
    assert origin == expected[0] and same(rows, expected[1])


def test_first_leaves_out_a_beginning_and_does_not_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = install(tmp_path, monkeypatch, {}, {})
    chosen = make(episodes=2)
    assert collect(chosen, first=2) == []
    ((origin, rows),) = collect(chosen, first=1)
    assert json.loads(plan.read_text()) == []
    expected = undisturbed(chosen, 1)
    assert origin == expected[0] and same(rows, expected[1])
    assert not same(rows, undisturbed(chosen, 0)[1])


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"deaf": True}, "No CARLA server answers at 127.0.0.1:2000 within 1.0 s .*Start one"),
        ({"version": "0.9.10"}, "version 0.9.10"),
    ],
)
def test_no_server_and_another_version_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: dict[str, Any], words: str
) -> None:
    plan = install(tmp_path, monkeypatch, faults, {})
    with pytest.raises(UserError, match=words):
        collect(make())
    assert json.loads(plan.read_text()) == [{}]


def test_a_missing_package_is_told_with_the_command_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "carla.py").write_text("raise ModuleNotFoundError(\"No module named 'carla'\")")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="python -m pip install carla=="):
        collect(make())


def test_a_server_lost_in_every_attempt_ends_the_collection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def lose(produce: object) -> Generator[Block, None, None]:
        tried.append(produce)
        yield block(0)
        raise LostError("gone")

    monkeypatch.setattr(carla_process, "attempt", lose)
    given: list[Block] = []
    with pytest.raises(UserError, match=f"lost in {TRIES} attempts at one episode, at last: gone"):
        given.extend(whole(partial(blocks, 1)))
    assert len(tried) == TRIES and given == []


def test_an_episode_longer_than_a_block_is_kept_aside_unchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(carla_process, "attempt", lambda produce: produce())
    given, made = list(whole(partial(blocks, 5))), list(blocks(5))
    for name in ("frames", "actions", "states"):
        ours, theirs = (
            numpy.concatenate([getattr(one, name) for one in them]) for them in (given, made)
        )
        assert numpy.array_equal(ours, theirs) and ours.dtype == theirs.dtype
    assert all(len(one.frames) <= 32 and one.frames.flags["C_CONTIGUOUS"] for one in given)


def test_a_process_that_is_not_read_to_the_end_cleans_up(tmp_path: Path) -> None:
    running = attempt(partial(endless, tmp_path))
    next(running)
    running.close()
    assert (tmp_path / "cleaned").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "process").read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_told_to_stop_cleans_up_and_is_not_begun_anew(
    tmp_path: Path, number: int
) -> None:
    with pytest.raises(UserError, match=r"told to stop.*Run this again"):
        list(whole(partial(stopped, tmp_path, number)))
    assert (tmp_path / "cleaned").exists()
    assert (tmp_path / "begun").read_text() == "x"


def test_a_process_whose_parent_was_killed_cleans_up(tmp_path: Path) -> None:
    parent = multiprocessing.get_context("spawn").Process(target=orphan, args=(tmp_path,))
    parent.start()
    parent.join()
    assert parent.exitcode == 9
    for _ in range(200):
        if (tmp_path / "cleaned").exists():
            return
        time.sleep(0.05)
    pytest.fail("an orphan goes on")
