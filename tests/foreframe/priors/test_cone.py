"""A cone's logits are those of the whole pass, and no more is computed than they depend on."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from foreframe.priors import Grid
from foreframe.priors.conditional_pixel_snail import ConditionalPixelSnail
from foreframe.priors.engines.cone import Cone
from foreframe.priors.snail import SnailPrior
from tests.foreframe.priors import tiny

SIDES = st.sampled_from([1, 3, 5])


def bottom(half: Grid = (1, 2, 2), **changes: Any) -> SnailPrior:
    prior = tiny.bottom(half, **changes).double()
    assert isinstance(prior, SnailPrior)
    return prior


def whole(prior: SnailPrior, positions: list[int]) -> torch.Tensor:
    """Return the logits (D,K) of one clip's positions, by the forward pass."""
    with torch.no_grad():
        logits = prior.logits(tiny.codes(prior, 1), tiny.condition(prior, 1))
    return logits[0].flatten(1).T[positions]


def cone(prior: SnailPrior, positions: list[int]) -> torch.Tensor:
    codes, latents = tiny.codes(prior, 1), tiny.given(prior, 1)
    with torch.no_grad():
        return Cone(prior).logits(codes, latents, torch.tensor(positions))


@settings(max_examples=30, deadline=None)
@generated(
    half=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    kernel=st.tuples(SIDES, SIDES, SIDES),
    condition_kernel=st.tuples(SIDES, SIDES, SIDES),
    residual_layers=st.integers(1, 2),
    condition_layers=st.integers(0, 2),
    conditioning=st.sampled_from(["input", "none"]),
    actions=st.sampled_from(["input", "none"]),
    data=st.data(),
)
def test_logits_are_those_of_the_whole_pass(
    half: Grid, data: st.DataObject, **changes: Any
) -> None:
    prior = bottom(half, **changes)
    every = st.integers(0, 8 * half[0] * half[1] * half[2] - 1)
    positions = sorted(data.draw(st.sets(every, min_size=1, max_size=4)))
    expected = whole(prior, positions)
    torch.testing.assert_close(cone(prior, positions), expected, atol=1e-11, rtol=0)


def test_positions_far_apart_and_gathered_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = bottom((3, 5, 5))
    expected = whole(prior, [7, 599])
    torch.testing.assert_close(cone(prior, [7, 599]), expected, atol=1e-11, rtol=0)
    monkeypatch.setattr("foreframe.priors.engines.cone.GATHERED", 1)
    torch.testing.assert_close(cone(prior, [7, 599]), expected, atol=1e-11, rtol=0)


def test_what_lies_outside_is_not_computed() -> None:
    """Of two layers the second sees where one live tap leads, the first where two do."""
    prior = bottom((4, 4, 4), kernel=(3, 3, 3), blocks=1, residual_layers=1)
    found = Cone(prior)._needed(torch.tensor([4 * 64 + 4 * 8 + 4]))
    taps = itertools.product((-1, 0), (-1, 0, 1), (-1, 0, 1))
    live = [tap for tap in taps if tap <= (0, 0, 0)]
    twice = {(a + d, b + e, c + f) for (a, b, c), (d, e, f) in itertools.product(live, live)}
    assert [len(positions) for positions in found] == [1, len(live), len(twice)]


def test_the_condition_is_computed_near_the_box_alone() -> None:
    prior = bottom((4, 8, 8), condition_layers=1, condition_kernel=(3, 3, 3))
    sizes: list[int] = []
    assert isinstance(prior, ConditionalPixelSnail)
    for layer in (prior.stack.enlarge[-1], *prior.stack.layers):
        layer.register_forward_hook(lambda _, given, __: sizes.append(given[0].numel()))
    with torch.no_grad():
        around = prior.condition_in(tiny.given(prior, 1), (slice(3, 4), slice(8, 9), slice(0, 1)))
        everything = tiny.condition(prior, 1)
    assert around is not None and everything is not None
    torch.testing.assert_close(around, everything[:, :, 3:4, 8:9, 0:1], atol=1e-11, rtol=0)
    # Two positions to each side of the one that is asked for, as far as the grid goes; before that
    # one more; and all of them where the whole is asked for.
    full = 4 * everything[0, 0].numel()
    assert sizes == [4 * 7 * 7 * 4, 4 * 5 * 5 * 3, full, full]
