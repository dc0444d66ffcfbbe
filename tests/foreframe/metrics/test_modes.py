"""Modes of a mixture: the nearest mean, and what lies where no component is."""

import pytest
import torch

from foreframe.errors import UserError
from foreframe.metrics.modes import modes
from foreframe.randomness import numpy_generator
from foreframe.sources.gaussian_grid import DEVIATION, MEANS, points

GRID = torch.from_numpy(MEANS)


def test_the_true_mixture_is_found_whole_and_rarely_far() -> None:
    drawn, components = points(10_000, numpy_generator(0, "points"))
    found = modes(torch.from_numpy(drawn), GRID, DEVIATION)
    assert found.found == 25
    assert torch.equal(found.component, torch.from_numpy(components))
    assert int(found.counts.sum()) == 10_000
    # exp(-9 / 2) of a Gaussian in a plane is further than three deviations.
    assert found.far.double().mean().item() == pytest.approx(0.0111, abs=0.004)


def test_a_component_is_found_by_one_point_however_far() -> None:
    points_N2 = torch.tensor([[-4.0, -4.0], [-3.1, 3.9], [0.0, 0.1501], [0.0, 0.1499]])
    found = modes(points_N2, GRID, 0.05)
    assert found.found == 3
    assert MEANS[found.component].tolist() == [[-4, -4], [-4, 4], [0, 0], [0, 0]]
    assert found.far.tolist() == [False, True, True, False]


def test_points_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="not finite"):
        modes(torch.tensor([[torch.nan, 0.0]]), GRID, DEVIATION)
