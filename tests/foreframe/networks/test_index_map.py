"""Indices as grey values: there and back."""

import pytest
import torch

from foreframe.networks.index_map import IndexMap
from foreframe.randomness import generator

SIZES = [1, 2, 3, 16, 512]


@pytest.mark.parametrize("codes", SIZES)
def test_every_index_comes_back(codes: int) -> None:
    ids = torch.arange(codes)
    values = IndexMap(codes).values(ids)
    assert values.dtype == torch.float32
    assert torch.equal(IndexMap(codes).ids(values), ids)
    assert torch.equal(IndexMap(codes).ids(values.double()), ids)


@pytest.mark.parametrize("codes", SIZES[1:])
def test_values_go_evenly_from_minus_one_to_one(codes: int) -> None:
    values = IndexMap(codes).values(torch.arange(codes))
    assert torch.allclose(values, torch.linspace(-1, 1, codes), atol=1e-6)
    assert values[[0, -1]].tolist() == [-1, 1]
    assert IndexMap(codes).step == pytest.approx((values[1] - values[0]).item(), rel=1e-4)


def test_any_value_has_the_nearest_index_and_those_beyond_the_ends_the_last() -> None:
    values = torch.tensor([-7.0, -1.01, -0.51, -0.49, 0.0, 0.49, 0.51, 1.01, 7.0])
    assert IndexMap(3).ids(values).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("codes", SIZES)
def test_spread_values_fill_the_range_and_keep_their_index(codes: int) -> None:
    ids = generator(0, "ids").integers(0, codes, (200, 20))
    exact = IndexMap(codes).values(ids)
    spread = IndexMap(codes).spread(exact, generator(0, "noise"))
    moved = (spread - exact) / IndexMap(codes).step
    assert torch.equal(IndexMap(codes).ids(spread), ids)
    assert moved.abs().max() <= 0.5 + 1e-4
    # The mean and the deviation of U(-1/2, 1/2), within four standard errors.
    assert moved.mean().item() == pytest.approx(0, abs=4 * 0.289 / 4000**0.5)
    assert moved.std().item() == pytest.approx(12**-0.5, abs=0.01)
