"""Normalisation step by step: that of each step alone, who moves what, and other lengths."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from foreframe.networks.initialization import initialize
from foreframe.networks.step_norms import (
    EPSILON,
    MOMENTUM,
    StepNorm,
    by_batch,
    forget,
    knows,
    recalibrate,
)
from foreframe.randomness import generator

ROWS, STEPS, CHANNELS, CONDITION = 5, 3, 4, 2


def norm() -> StepNorm:
    layer = StepNorm(CHANNELS, STEPS, CONDITION)
    initialize(layer, generator(0, "weights"))
    return layer


def clips(steps: int = STEPS, number: int = 0) -> Tensor:
    """Return clips (B,T,C,H,W) whose steps differ in mean and deviation."""
    place = torch.arange(1.0, steps + 1)[:, None, None, None]
    return place * (2 + generator(0, "x", steps, number).normal((ROWS, steps, CHANNELS, 3, 2)))


def told(number: int = 0) -> Tensor:
    return generator(0, "told", number).normal((ROWS, CONDITION))


def conditioned(layer: StepNorm, normal_BTCHW: Tensor, told_BE: Tensor) -> Tensor:
    gain, shift = 1 + layer.gain(told_BE), layer.shift(told_BE)
    return normal_BTCHW * gain[:, None, :, None, None] + shift[:, None, :, None, None]


def test_each_step_is_normalised_as_by_a_batch_normalisation_of_its_own() -> None:
    layer, alone = norm().train(), [nn.BatchNorm2d(CHANNELS, affine=False) for _ in range(STEPS)]
    for number in range(3):
        x_BTCHW, c_BE = clips(number=number), told(number)
        normal = torch.stack([each(x_BTCHW[:, t]) for t, each in enumerate(alone)], dim=1)
        torch.testing.assert_close(layer(x_BTCHW, c_BE), conditioned(layer, normal, c_BE))
    for kept in ("running_mean", "running_var"):
        wanted = torch.stack([getattr(each, kept) for each in alone])
        torch.testing.assert_close(getattr(layer, kept), wanted)
    layer.eval()
    normal = torch.stack([each.eval()(clips()[:, t]) for t, each in enumerate(alone)], dim=1)
    torch.testing.assert_close(layer(clips(), told()), conditioned(layer, normal, told()))


def test_the_condition_of_a_row_scales_and_shifts_its_channels_alone() -> None:
    layer = norm().eval()
    c_BE = told()
    other = c_BE.clone()
    other[2] += 1
    moved = (layer(clips(), c_BE) != layer(clips(), other)).flatten(2).any(dim=2).any(dim=1)
    assert moved.tolist() == [False, False, True, False, False]
    plain = layer(clips(), torch.zeros_like(c_BE))
    deviation = (layer.running_var + EPSILON).sqrt()
    wanted = (clips() - layer.running_mean[..., None, None]) / deviation[..., None, None]
    torch.testing.assert_close(plain, wanted)


@pytest.mark.parametrize("mode", [False, True])
def test_by_its_batch_a_clip_is_normalised_as_in_training_and_nothing_moves(mode: bool) -> None:
    layer = norm()
    wanted = norm().train()(clips(), told())
    layer.train(mode)
    before = {name: each.clone() for name, each in layer.named_buffers()}
    with by_batch(nn.Sequential(layer)):
        torch.testing.assert_close(layer(clips(), told()), wanted)
        layer(clips(7), told())  # any length
    assert all(torch.equal(each, before[name]) for name, each in layer.named_buffers())
    # And not afterwards.
    assert torch.equal(layer(clips(), told()), wanted) == mode


def measured(layer: StepNorm, steps: int, passes: int) -> None:
    act: Callable[[int], object] = lambda number: layer(clips(steps, number), told())  # noqa: E731
    recalibrate(nn.Sequential(layer), steps, passes, act)


@pytest.mark.parametrize("steps", [2, STEPS, 6])
def test_statistics_of_a_length_are_means_over_passes(steps: int) -> None:
    layer = norm().eval()
    before = {name: each.clone() for name, each in layer.named_buffers()}
    measured(layer, steps, passes=4)
    of_steps = torch.stack([clips(steps, number).transpose(1, 2) for number in range(4)])
    flat = of_steps.permute(0, 3, 2, 1, 4, 5).flatten(3)  # passes, steps, channels
    found = layer.further[steps]
    torch.testing.assert_close(found.mean, flat.mean(dim=3).mean(dim=0))
    torch.testing.assert_close(found.variance, flat.var(dim=3).mean(dim=0))
    assert found.passes == 4
    assert all(torch.equal(each, before[name]) for name, each in layer.named_buffers())
    # A second time begins anew.
    measured(layer, steps, passes=4)
    assert torch.equal(layer.further[steps].mean, found.mean)


def test_clips_of_another_length_are_normalised_by_what_was_measured_of_it() -> None:
    layer = norm().eval()
    assert knows(layer, STEPS) and not knows(layer, 6)
    with pytest.raises(KeyError):
        layer(clips(6), told())
    measured(layer, 6, passes=2)
    assert knows(layer, 6)
    found = layer.further[6]
    deviation = (found.variance + EPSILON).sqrt()[..., None, None]
    normal = (clips(6, 1) - found.mean[..., None, None]) / deviation
    torch.testing.assert_close(layer(clips(6, 1), told()), conditioned(layer, normal, told()))
    forget(nn.Sequential(layer))
    assert not knows(layer, 6)


def test_measured_at_the_trained_length_they_are_near_the_moving_averages() -> None:
    """Of a stationary stream: moving averages of so many batches have forgotten their start."""
    layer = norm().train()
    for number in range(200):
        layer(clips(number=number), told())
    layer.eval()
    measured(layer, STEPS, passes=200)
    found = layer.further[STEPS]
    # The moving average has the variance of 1 / (2 / MOMENTUM - 1) of a batch's mean.
    spread = (found.variance / (ROWS * 6) * MOMENTUM / (2 - MOMENTUM)).sqrt()
    assert ((found.mean - layer.running_mean).abs() < 4.5 * spread).all()
    torch.testing.assert_close(found.variance, layer.running_var, rtol=0.3, atol=0)


def test_a_pass_that_fails_leaves_nothing_measured() -> None:
    layer = norm().eval()

    def act(number: int) -> None:
        layer(clips(6), told())
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        recalibrate(layer, 6, 2, act)
    assert not knows(layer, 6) and layer.measured is None
