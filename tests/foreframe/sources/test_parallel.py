"""Workers change how long it takes and nothing else; their failures reach the user."""

import multiprocessing
import os
from collections.abc import Iterator

import numpy
import pytest

from foreframe.errors import UserError
from foreframe.sources import Block, parallel

SIZE = 1000


def block(value: int) -> Block:
    nothing = numpy.zeros((1, 0), numpy.float32)
    return Block(numpy.full((1, 2, 2, 3), value, numpy.uint8), nothing, nothing)


def count_up(job: int) -> Iterator[Block]:
    for value in range(job):
        yield block(value)


def fail_at_three(job: int) -> Iterator[Block]:
    yield block(job)
    if job == 3:
        raise UserError("three is broken")


def die_at_three(job: int) -> Iterator[Block]:
    if job == 3:
        os._exit(9)
    yield block(job)


@pytest.mark.parametrize("workers", [0, 1, 2, 7])
def test_streams_come_in_order(workers: int) -> None:
    jobs = [3, 0, 5, 1, 4]
    values = [
        [int(part.frames[0, 0, 0, 0]) for part in stream]
        for stream in parallel.in_order(count_up, jobs, workers, SIZE)
    ]
    assert values == [list(range(job)) for job in jobs]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_where_it_happened(workers: int) -> None:
    seen: list[int] = []
    with pytest.raises(UserError, match="three is broken"):
        for stream in parallel.in_order(fail_at_three, range(5), workers, SIZE):
            seen.extend(int(part.frames[0, 0, 0, 0]) for part in stream)
    assert seen[:3] == [0, 1, 2]
    assert multiprocessing.active_children() == []


def test_a_killed_worker_is_noticed() -> None:
    with pytest.raises(UserError, match="exit code 9"):
        for stream in parallel.in_order(die_at_three, range(5), 2, SIZE):
            list(stream)


def test_leaving_early_ends_the_workers() -> None:
    # A reader that stops leaves workers blocked at a full pipe.
    streams = parallel.in_order(count_up, [10**6] * 2, 2, 1 << 27)
    next(next(streams))
    assert len(multiprocessing.active_children()) == 2
    streams.close()
    assert multiprocessing.active_children() == []
