"""Motion energy: NumPy, frozen futures, time reversal, and the ratio over the horizon."""

import math

import numpy
import pytest
import torch

from foreframe.metrics.mean import Mean
from foreframe.metrics.motion import both, motion
from foreframe.metrics.relative import FLOOR, ratio
from tests.foreframe.metrics import pictures


def moving(speed: int, frames: int = 5) -> torch.Tensor:
    """Return a photograph that shifts by `speed` pixels a frame: uint8 (1, frames, 40, 40, 3)."""
    wide = pictures.real(100)[0, 0]
    return torch.stack([wide[:40, speed * t : speed * t + 40] for t in range(frames)])[None]


def test_is_the_mean_squared_difference_to_the_neighbours() -> None:
    real, predicted = moving(2), moving(3)
    ours = both(real, predicted)
    for which, frames in enumerate((real, predicted)):
        x = frames[0].numpy() / 255
        step = [numpy.mean((x[t + 1] - x[t]) ** 2) for t in range(4)]
        inner = [(step[t - 1] + step[t]) / 2 for t in range(1, 4)]
        expected = [step[0], *inner, step[3]]
        numpy.testing.assert_allclose(ours[0, :, which].numpy(), expected, rtol=1e-12)


def test_a_frozen_future_has_no_motion_and_a_large_error() -> None:
    real = moving(2)
    frozen = real[:, :1].expand_as(real)
    values = both(real, frozen)
    assert values[..., 1].count_nonzero() == 0
    assert bool((motion(real, frozen) > 7).all())
    expected = math.log2((values[0, 2, 0].item() + FLOOR / 255) / (FLOOR / 255))
    assert motion(real, frozen)[0, 2].item() == pytest.approx(expected)


def test_backwards_in_time_moves_as_much() -> None:
    real, predicted = moving(2), moving(3)
    backwards = both(real.flip(1), predicted.flip(1))
    torch.testing.assert_close(backwards, both(real, predicted).flip(1))


def test_a_place_that_never_changes_hides_no_motion() -> None:
    real, predicted = moving(2), moving(3)
    black = torch.zeros_like(real)
    values = both(torch.cat([real, black], dim=2), torch.cat([predicted, black], dim=2))
    torch.testing.assert_close(2 * values, both(real, predicted))


def test_the_truth_has_none_and_the_order_does_not_matter() -> None:
    real, predicted = moving(2), moving(3)
    assert motion(real, real).tolist() == [[0.0] * 5]
    torch.testing.assert_close(motion(real, predicted), motion(predicted, real))


def test_the_share_of_motion_over_the_horizon() -> None:
    real = moving(2)
    frozen = real.clone()
    frozen[:, 3:] = frozen[:, 2:3]
    mean = Mean()
    for clip in (frozen, real):
        mean.update(both(real, clip))
    values = ratio(mean.result())
    assert values[:2] == [1.0, 1.0]
    assert values[4] == pytest.approx(0.5)


def test_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="shows no motion"):
        motion(moving(1)[:, :1], moving(1)[:, :1])
