"""Cameras: where they stand, what is where in their pictures, and how views are changed."""

import math

import pytest
import torch
from torch import Tensor

from foreframe.networks.scene_camera import Camera
from tests.foreframe.networks.scenes import CAMERA


def seen(camera: Camera, point: list[float], side: int = 65) -> tuple[float, float]:
    """Return the row and column of the pixel whose ray passes a point."""
    rays = camera.rays(side, side)
    to = torch.tensor(point) - rays.begin
    row, column = divmod(int((rays.ways @ (to / to.norm())).argmax()), side)
    return row, column


def test_axes_are_right_up_and_ahead_and_the_middle_of_a_picture_is_what_is_aimed_at() -> None:
    for azimuth in (0.0, 70.0, -130.0):
        camera = CAMERA.model_copy(update={"azimuth": azimuth})
        right, up, ahead = camera.axes
        torch.testing.assert_close(camera.axes @ camera.axes.T, torch.eye(3).double())
        torch.testing.assert_close(torch.linalg.cross(right, ahead), up)
        middle = camera.rays(5, 7).ways[2 * 7 + 3]
        there = camera.rays(5, 7).begin + camera.distance * middle
        wanted = torch.tensor([0.0, 0.0, camera.aim])
        torch.testing.assert_close(there, wanted, atol=1e-6, rtol=0)
        above = camera.distance * math.sin(math.radians(camera.elevation))
        assert camera.place[2].item() == pytest.approx(camera.aim + above)


def test_x_is_to_the_right_y_is_away_and_z_is_up() -> None:
    row, column = seen(CAMERA, [0.0, 0.0, CAMERA.aim])
    assert seen(CAMERA, [0.4, 0.0, CAMERA.aim])[1] > column
    assert seen(CAMERA, [0.0, 0.4, CAMERA.aim])[0] < row
    assert seen(CAMERA, [0.0, 0.0, CAMERA.aim + 0.4])[0] < row


def test_a_picture_sees_its_angle() -> None:
    side = 64
    ways = CAMERA.rays(side, side).ways.double().unflatten(0, (side, side))
    column = side // 2
    ahead = CAMERA.axes[2]
    # From the middle of the first pixel to that of the last: a pixel less than the view.
    wanted = 2 * math.tan(math.radians(CAMERA.view) / 2) * (side - 1) / side

    def height(way: Tensor) -> float:
        return float((way @ CAMERA.axes[1]) / (way @ ahead))

    found = height(ways[0, column]) - height(ways[-1, column])
    assert found == pytest.approx(wanted, rel=1e-5)


def test_to_turn_is_to_walk_around_and_to_zoom_is_to_see_less() -> None:
    turned = CAMERA.turned(15.0)
    torch.testing.assert_close(turned.place[2], CAMERA.place[2])
    cosine = (turned.place[:2] @ CAMERA.place[:2]) / CAMERA.place[:2].square().sum()
    assert math.degrees(math.acos(cosine.item())) == pytest.approx(15.0)
    assert turned.place[0] > CAMERA.place[0]
    torch.testing.assert_close(turned.turned(-15.0).axes, CAMERA.axes)
    # With a lens of twice the length the middle half of a picture is the whole one.
    whole, middle = CAMERA.zoomed(2.0).rays(4, 4), CAMERA.rays(8, 8)
    wanted = middle.ways.unflatten(0, (8, 8))[2:6, 2:6].flatten(0, 1)
    torch.testing.assert_close(whole.ways, wanted)
    assert CAMERA.zoomed(2.0).zoomed(0.5).view == pytest.approx(CAMERA.view)


def test_rays_that_see_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"near is 5\.0 and far is 5\.0"):
        Camera.model_validate(CAMERA.model_dump() | {"near": 5.0})
