"""Poses: into a thing's own space and out again, as one affine map, within reach."""

import math

import pytest
import torch

from foreframe.networks.poses import NUMBERS, Poses, Reach
from foreframe.randomness import generator
from tests.foreframe.networks.scenes import OBJECTS, REACH, ROWS, poses

POINTS = generator(0, "points").normal((ROWS, OBJECTS, 7, 3)).double()


def test_out_of_a_space_is_the_inverse_of_into_it() -> None:
    found = poses()
    torch.testing.assert_close(found.outward(found.inward(POINTS)), POINTS)
    torch.testing.assert_close(found.inward(found.outward(POINTS)), POINTS)


def test_a_pose_is_an_affine_map() -> None:
    found = poses()
    wide = torch.cat([POINTS, torch.ones_like(POINTS[..., :1])], dim=3)
    moved = (found.matrices @ wide.transpose(2, 3)).transpose(2, 3)
    torch.testing.assert_close(moved[..., :3], found.outward(POINTS))
    torch.testing.assert_close(moved[..., 3], torch.ones_like(moved[..., 3]))
    back = (torch.linalg.inv(found.matrices) @ wide.transpose(2, 3)).transpose(2, 3)
    torch.testing.assert_close(back[..., :3], found.inward(POINTS))


def test_turning_is_about_the_vertical_and_keeps_lengths() -> None:
    quarter = Poses(torch.zeros(1, 1, 3), torch.ones(1, 1, 3), torch.full((1, 1), math.pi / 2))
    one, up = torch.tensor([[[[1.0, 0, 0]]]]), torch.tensor([[[[0.0, 0, 1]]]])
    torch.testing.assert_close(quarter.outward(one), torch.tensor([[[[0.0, 1, 0]]]]))
    torch.testing.assert_close(quarter.outward(up), up)
    torch.testing.assert_close(poses().along(POINTS).norm(dim=3), POINTS.norm(dim=3))


def test_any_seven_numbers_are_a_pose_within_reach() -> None:
    wild = 20 * generator(0, "wild").normal((4, 5, NUMBERS))
    reach = Reach(places=(0.5, 0.7, 0.1), lift=0.3, smallest=0.05, largest=0.3, turns=False)
    found = Poses.of(wild, reach)
    off = (found.place - torch.tensor([0.0, 0, 0.3])).abs()
    assert (off <= torch.tensor([0.5, 0.7, 0.1]) + 1e-6).all() and off.max() > 0.6
    assert found.scale.min() >= 0.05 and found.scale.max() <= 0.3
    assert not found.turn.any()
    assert found.numbers.shape == wild.shape
    with pytest.raises(ValueError, match=r"smallest is 0\.3 and largest is 0\.3"):
        Reach.model_validate(REACH.model_dump() | {"smallest": 0.3, "largest": 0.3})
