"""Attempts at a drive in processes of their own: a lost server costs time and nothing else."""

import itertools
import json
import os
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe.errors import UserError
from foreframe.sources import Block, Row, carla, carla_process
from foreframe.sources.carla_process import TRIES, attempt, whole
from foreframe.sources.carla_world import LostError
from tests.foreframe.sources.carla_double import Server
from tests.foreframe.sources.carla_setting import make, record, same

# A package `carla` whose server, new in each process, fails as the next line of a file says.
PACKAGE = """
import json, os
from pathlib import Path
from tests.foreframe.sources.carla_double import Library, Server

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
    stream = carla.stream(chosen, 3, Path("unused"), 2, first)
    result = []
    for episode in stream.episodes:
        assert episode.total == chosen.episodes
        blocks = list(episode.blocks)
        rows = [
            row
            for block in blocks
            for row in zip(block.frames, block.actions, block.states, strict=True)
        ]
        result.append((episode.origin, rows))
    return result


def test_a_lost_server_changes_no_byte_and_first_leaves_out_a_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine: dict[str, Any] = {}
    chosen = make(episodes=2)
    # A greeting, and an episode each.
    install(tmp_path, monkeypatch, fine, fine, fine)
    whole_run = collect(chosen)
    # The server drops, the client ends its process, nobody answers; then it goes on.
    plan = install(
        tmp_path, monkeypatch, fine, {"drop_after": 9}, {"abort": True}, {"deaf": True}, fine
    )
    broken = itertools.islice(carla.stream(chosen, 3, Path("unused"), 1, 0).episodes, 1)
    (kept,) = [(episode.origin, list(episode.blocks)) for episode in broken]
    assert json.loads(plan.read_text()) == []
    assert kept[0] == whole_run[0][0]
    (block,) = kept[1]
    assert same(list(zip(block.frames, block.actions, block.states, strict=True)), whole_run[0][1])
    install(tmp_path, monkeypatch, fine, fine)
    ((origin, rows),) = collect(chosen, first=1)
    assert origin == whole_run[1][0] and same(rows, whole_run[1][1])
    assert not same(whole_run[0][1], whole_run[1][1])
    assert collect(chosen, first=2) == []


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"deaf": True}, "No CARLA server answers at 127.0.0.1:2000 within 1.0 s .*Start one"),
        ({"abort": True}, "No CARLA server answers.*ended its process"),
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
    given = []
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


def block(number: int) -> Block:
    frames = numpy.full((32 if number < 4 else 7, 8, 9, 3), number, numpy.uint8)
    numbers = numpy.arange(len(frames), dtype=numpy.float32)[:, None] + number
    return Block(frames, numbers, numpy.hstack([numbers, -numbers]))


def blocks(count: int) -> Generator[Block, None, None]:
    yield from map(block, range(count))


def endless(folder: Path) -> Generator[Block, None, None]:
    (folder / "process").write_text(str(os.getpid()))
    try:
        for number in itertools.count():
            yield block(number % 4)
    finally:
        (folder / "cleaned").touch()


def test_a_process_that_is_not_read_to_the_end_cleans_up(tmp_path: Path) -> None:
    running = attempt(partial(endless, tmp_path))
    next(running)
    running.close()
    assert (tmp_path / "cleaned").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "process").read_text()), 0)


def orphan(folder: Path) -> Generator[Block, None, None]:
    """Start a process and die without a word."""
    next(attempt(partial(endless, folder)))
    os._exit(9)
    yield block(0)


def test_a_process_whose_parent_was_killed_cleans_up(tmp_path: Path) -> None:
    with pytest.raises((LostError, AssertionError)):
        list(attempt(partial(orphan, tmp_path)))
    for _ in range(200):
        if (tmp_path / "cleaned").exists():
            return
        time.sleep(0.05)
    pytest.fail("an orphan goes on")


def test_the_double_in_process_gives_what_the_stream_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {}, {})
    ((_, rows),) = collect(make(episodes=1))
    alone = list(record(Server(), make(episodes=1)))
    assert [frame.shape for frame, _, _ in rows] == [frame.shape for frame, _, _ in alone]
