"""Laws of the order of sampling: after what a code depends on, everything once, no step more."""

import itertools
import math
from typing import cast

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foreframe.networks import causal
from foreframe.networks.causal import Offset
from foreframe.priors import Grid
from foreframe.priors.engines import Step, schedule
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.naive import Naive
from foreframe.priors.sampling import fastest
from foreframe.priors.snail import SnailPrior
from tests.foreframe.priors import tiny

CPU = torch.device("cpu")
THESIS = ((8, 64, 64), (3, 7, 7))


def offsets(kernel: causal.Kernel) -> tuple[Offset, ...]:
    """Return what a bottom prior with this kernel depends on."""
    prior = tiny.bottom((1, 1, 1), kernel=kernel)
    return schedule.dependencies(cast(SnailPrior, prior))


def closure(grid: Grid, steps: tuple[Offset, ...], layers: int) -> numpy.ndarray:
    """Return by brute force whether position p depends on q through so many layers: (N,N)."""
    places = list(itertools.product(*map(range, grid)))
    number = {place: index for index, place in enumerate(places)}
    direct = numpy.eye(len(places), dtype=bool)
    for place, (t, y, x) in itertools.product(places, steps):
        seen = (place[0] + t, place[1] + y, place[2] + x)
        if seen in number:
            direct[number[place], number[seen]] = True
    return numpy.linalg.matrix_power(direct.astype(float), layers) > 0


def sizes(steps: list[Step]) -> list[int]:
    return [len(step.positions) for step in steps]


@settings(max_examples=20, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 3),
    layers=st.integers(1, 6),
)
def test_no_position_is_sampled_before_what_it_depends_on(
    grid: Grid, kernel: causal.Kernel, layers: int
) -> None:
    steps = offsets(kernel)
    levels = schedule.levels(grid, steps)
    depends = closure(grid, steps, layers)
    for position in range(math.prod(grid)):
        others = depends[position].copy()
        others[position] = False
        assert (levels[others] < levels[position]).all()


@settings(max_examples=10, deadline=None)
@given(
    half=st.tuples(*[st.integers(1, 2)] * 3), kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 3)
)
def test_the_network_itself_sees_only_lower_levels(half: Grid, kernel: causal.Kernel) -> None:
    prior = cast(SnailPrior, tiny.bottom(half, kernel=kernel, blocks=1))
    levels = torch.from_numpy(schedule.levels(prior.grid, schedule.dependencies(prior)))
    codes, condition = tiny.codes(prior, 1), tiny.condition(prior, 1)
    with torch.no_grad():
        before = prior.logits(codes, condition)
        for position in range(codes.numel()):
            other = codes.clone()
            other.view(-1)[position] = (other.view(-1)[position] + 1) % prior.codebook_size
            moved = (prior.logits(other, condition) != before).any(dim=1).flatten()
            assert (levels[moved] > levels[position]).all()


@settings(max_examples=20, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 3),
    data=st.data(),
)
def test_every_position_is_sampled_once(
    grid: Grid, kernel: causal.Kernel, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, math.prod(grid)))
    for steps in (
        schedule.waves(grid, offsets(kernel), start, CPU),
        schedule.one_by_one(grid, start, CPU),
    ):
        positions = [position for step in steps for position in step.positions.tolist()]
        assert sorted(positions) == list(range(start, math.prod(grid)))
        assert all(step.last == max(step.positions.tolist()) for step in steps)


def test_no_order_has_fewer_steps() -> None:
    grid = (2, 4, 5)
    steps = offsets((3, 3, 3))
    levels = schedule.levels(grid, steps)
    seen = schedule.neighbours(grid, steps)
    # Walk down from the last wave: each position sees one of the wave before, so the chain of
    # positions that wait for one another is as long as there are waves.
    for level in range(1, levels.max() + 1):
        for position in numpy.flatnonzero(levels == level):
            inside = seen[position][seen[position] < len(levels)]
            assert levels[inside].max() == level - 1


def test_the_thesis_grid_takes_428_waves() -> None:
    grid, kernel = THESIS
    levels = schedule.levels(grid, offsets(kernel)).reshape(grid)
    t, y, x = numpy.indices(grid)
    assert (levels == x + 4 * y + 16 * t).all()
    waves = schedule.waves(grid, offsets(kernel), 0, CPU)
    assert len(waves) == 428 and sum(sizes(waves)) == 32768
    # With the first half given, the waves of the second half are left.
    assert len(schedule.waves(grid, offsets(kernel), 16384, CPU)) == 364


def test_small_kernels_need_few_waves() -> None:
    # Only up, left and back: a position waits for as many as it is steps away from the corner.
    prior = cast(SnailPrior, tiny.bottom((2, 4, 4), kernel=(1, 1, 1)))
    waves = schedule.waves(prior.grid, schedule.dependencies(prior), 0, CPU)
    assert len(waves) == 3 + 7 + 7 + 1
    assert sizes(waves)[:3] == [1, 3, 6]


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_attention_is_sampled_one_by_one_and_the_rest_in_waves(level: str) -> None:
    prior = cast(SnailPrior, getattr(tiny, level)((2, 2, 2)))
    count = math.prod(prior.grid)
    blank = torch.zeros(1, count + 1, dtype=torch.int64)
    steps = fastest(prior)(prior, blank, 2, None).schedule()
    assert (len(steps) == count - 2) == (level == "top")
    for engine in (Naive, Incremental):
        assert sizes(engine(prior, blank, 2, None).schedule()) == [1] * (count - 2)


def test_neighbours_outside_the_grid_are_marked() -> None:
    seen = schedule.neighbours((1, 2, 3), [(0, 0, -1), (0, -1, 1), (-1, 0, 0)])
    assert seen.tolist() == [[6, 6, 6], [0, 6, 6], [1, 6, 6], [6, 1, 6], [3, 2, 6], [4, 6, 6]]
