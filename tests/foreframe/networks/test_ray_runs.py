"""Points in boxes are packed without loss, and gradients go back where values came from."""

import pytest
import torch
from torch import Tensor

from foreframe.networks.ray_runs import Runs, runs
from foreframe.randomness import generator

FIELDS, RAYS, POINTS = 4, 9, 7


def boxes() -> Tensor:
    """Return runs of points; the last field has none, and a ray passes no box."""
    numbers = generator(0, "boxes")
    first, length = (numbers.integers(0, 6, (FIELDS, RAYS, 1)) for _ in range(2))
    place = torch.arange(POINTS)
    inside = (place >= first) & (place < first + length)
    inside[-1], inside[:, 3] = False, False
    return inside


@pytest.fixture(params=[True, False], ids=["skipped", "whole"])
def found(request: pytest.FixtureRequest) -> Runs:
    return runs(boxes(), skip=request.param)


def test_no_more_rays_and_points_are_taken_than_the_fullest_box_has() -> None:
    inside = boxes()
    rays, points = runs(inside, skip=True).size
    assert rays == max(int(each.any(dim=1).sum()) for each in inside) < RAYS
    assert points == int(inside.sum(dim=2).max()) < POINTS
    assert runs(inside, skip=False).size == (RAYS, POINTS)


def test_what_is_packed_is_what_lies_inside(found: Runs) -> None:
    inside = boxes().flatten(1)
    values = generator(0, "values").normal((FIELDS, RAYS * POINTS))
    packed = found.points.pack(values)
    for row in range(FIELDS):
        assert torch.equal(packed[row][found.points.kept[row]], values[row][inside[row]])
    assert not packed[~found.points.kept].any()
    assert torch.equal(found.points.spread(packed), values * inside)


def test_rays_are_packed_as_their_points_are(found: Runs) -> None:
    values = generator(0, "values").normal((FIELDS, RAYS * POINTS))
    sums = found.points.pack(values).unflatten(1, found.size).sum(dim=2)
    wanted = (values * boxes().flatten(1)).unflatten(1, (RAYS, POINTS)).sum(dim=2)
    torch.testing.assert_close(found.rays.spread(sums), wanted)
    wide = torch.stack([sums, 2 * sums], dim=2)
    torch.testing.assert_close(found.rays.spread(wide), torch.stack([wanted, 2 * wanted], dim=2))


def test_each_way_is_the_gradient_of_the_other(found: Runs) -> None:
    numbers = generator(0, "values")
    values = numbers.normal((FIELDS, RAYS * POINTS)).double().requires_grad_()
    packed = numbers.normal(found.points.taken.shape).double().requires_grad_()
    # <pack(v), p> = <v, spread(p)>
    one = (found.points.pack(values) * packed).sum()
    other = (values * found.points.spread(packed)).sum()
    torch.testing.assert_close(one, other)
    assert torch.autograd.gradcheck(found.points.pack, (values,))
    assert torch.autograd.gradcheck(found.points.spread, (packed,))
    wide = numbers.normal((*found.rays.taken.shape, 2)).double().requires_grad_()
    assert torch.autograd.gradcheck(found.rays.spread, (wide,))


def test_without_numbers_nothing_is_skipped() -> None:
    inside = torch.empty(FIELDS, RAYS, POINTS, dtype=torch.bool, device="meta")
    assert runs(inside, skip=True).size == (RAYS, POINTS)
