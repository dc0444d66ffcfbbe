"""Laws of counting: closed forms equal what torch counts; what the thesis's sizes gain."""

import math
from typing import cast

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from foreframe import priors
from foreframe.priors import Codes, Grid
from foreframe.priors.engines import Engine, operations
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.priors.sampling import fastest
from foreframe.priors.snail import SnailPrior
from tests.foreframe.priors import tiny

BATCH = 2  # for one clip alone, products are computed by a function that torch does not count


def counted(prior: SnailPrior, kind: type[Engine], given_frames: int) -> tuple[int, int]:
    """Return what torch counts for one clip: reading the given codes, and all steps."""
    codes, condition = tiny.codes(prior, BATCH), tiny.condition(prior, BATCH)
    known = torch.cat([codes.flatten(1), torch.full((BATCH, 1), prior.codebook_size)], dim=1)
    start = given_frames * prior.grid[1] * prior.grid[2]
    with torch.no_grad(), FlopCounterMode(display=False) as reading:
        engine = kind(prior, known, start, condition)
    with torch.no_grad(), FlopCounterMode(display=False) as sampling:
        for step in engine.schedule():
            engine.logits(step)
    return reading.get_total_flops() // BATCH, sampling.get_total_flops() // BATCH


@pytest.mark.parametrize("given_frames", [0, 1, 3])
@pytest.mark.parametrize(
    ("level", "kind"),
    [
        ("top", Incremental),
        ("top", Rowwise),
        ("top", Naive),
        ("bottom", Incremental),
        ("bottom", Rowwise),
        ("bottom", Wavefront),
        ("bottom", Naive),
    ],
)
def test_the_count_is_that_of_torch(
    level: str, kind: type[Engine], given_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = cast(
        SnailPrior,
        tiny.top((4, 2, 3), residual_layers=2)
        if level == "top"
        else tiny.bottom((2, 1, 2), kernel=(3, 3, 5)),
    )
    # One by one, given codes are read without looking at keys that turn out to be later ones.
    monkeypatch.setattr(Incremental, "_stretch", lambda self: 1)
    expected = operations.sampling_operations(prior, given_frames)
    reading, sampling = counted(prior, kind, given_frames)
    if kind is Naive:
        assert (reading, sampling) == (0, expected.naive)
    else:
        assert (reading, sampling) == (expected.given, expected.sampled)


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_steps_and_codes_are_those_of_the_fastest_engine(level: str) -> None:
    prior = cast(SnailPrior, getattr(tiny, level)((4, 2, 3)))
    expected = operations.sampling_operations(prior, 1)
    start = prior.grid[1] * prior.grid[2]
    blank = torch.zeros(1, math.prod(prior.grid) + 1, dtype=torch.int64)
    plan = fastest(prior)(prior, blank, start, None).schedule()
    assert expected.steps == len(plan)
    assert expected.codes == sum(len(step.positions) for step in plan)


def test_the_condition_is_counted_once_and_only_where_it_is_used() -> None:
    prior = tiny.bottom()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        tiny.condition(prior, 1)
    assert operations.condition(prior) == counter.get_total_flops() > 0
    assert operations.condition(tiny.bottom(conditioning="none")) == 0
    assert operations.condition(tiny.top()) == 0


def thesis(grid: Grid, level: str) -> priors.AutoregressivePrior:
    settings: priors.PriorSettings
    if level == "top":
        settings = tiny.top_settings(
            channels=256, blocks=5, residual_layers=6, key_channels=16, value_channels=128
        )
    else:
        settings = tiny.bottom_settings(
            channels=128,
            residual_layers=2,
            blocks=5,
            condition_layers=15,
            condition_channels=64,
            kernel=(3, 7, 7),
            condition_kernel=(3, 7, 7),
        )
    above = {} if level == "top" else {"top": Codes((4, 32, 32), 512)}
    with torch.device("meta"):
        return priors.density(priors.build(settings, Codes(grid, 512), above))


@pytest.mark.parametrize(
    ("level", "grid", "steps", "times"),
    [("top", (4, 32, 32), 2048, 4_300), ("bottom", (8, 64, 64), 364, 22_000)],
)
def test_the_sizes_of_the_thesis_take_thousands_of_times_fewer_operations(
    level: str, grid: Grid, steps: int, times: int
) -> None:
    needed = operations.sampling_operations(thesis(grid, level), grid[0] // 2)
    assert needed.steps == steps
    assert needed.codes == math.prod(grid) // 2
    assert needed.times_fewer > times
