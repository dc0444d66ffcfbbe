"""Times of pieces of work that take turns, so that a machine that slows down slows all of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks import limits
from benchmarks.recurrent_models import CPU

Times = Mapping[str, Sequence[float]]


def in_turn(works: Mapping[str, Callable[[], object]], rounds: int) -> Times:
    """Return the seconds of each piece of work in every round, after one that does not count."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(limits.timed(work, CPU))
    return times


def median(times: Times, name: str) -> float:
    """Return the seconds that half of the rounds stay below."""
    return statistics.median(times[name])


def ratio(times: Times, name: str, other: str) -> float:
    """Return the median over rounds of one time as a multiple of the other's in the same round."""
    pairs = zip(times[name], times[other], strict=True)
    return statistics.median(one / two for one, two in pairs)
