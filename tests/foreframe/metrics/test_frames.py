"""Every image metric refuses what it cannot measure, and says what is wrong."""

import sys
from collections.abc import Callable

import pytest
import torch

from foreframe.metrics.mae import mae
from foreframe.metrics.motion import motion
from foreframe.metrics.ms_ssim import SMALLEST, ms_ssim
from foreframe.metrics.mse import mse
from foreframe.metrics.psnr import psnr
from foreframe.metrics.sharpness import sharpness
from foreframe.metrics.ssim import ssim
from foreframe.metrics.ssim_padded import ssim_padded

Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
METRICS: tuple[Metric, ...] = (mae, motion, ms_ssim, mse, psnr, sharpness, ssim, ssim_padded)
GOOD = torch.full((1, 2, 12, 12, 3), 0.5)
NAN = GOOD.clone()
NAN[0, 1, 3, 4, 2] = float("nan")

BAD = {
    "unequal shapes": (GOOD, GOOD[:, :1], "shape"),
    "empty": (GOOD[:0], GOOD[:0], "nothing to measure"),
    "grey against colour": (GOOD, GOOD[..., :1], "the predicted frames must be .* repeat"),
    "grey": (GOOD[..., :1], GOOD[..., :1], "frames must be"),
    "one image": (GOOD[0], GOOD[0], "frames must be"),
    "NaN": (GOOD, NAN, "the predicted values hold NaN"),
    "standardised": (GOOD * -1, GOOD, "the real frames .* span"),
    "0..255 as floats": (GOOD, GOOD * 255, "undo the normalization"),
    "integers that are no bytes": (GOOD.int(), GOOD.int(), "give floating point"),
    "two dtypes": (GOOD, GOOD.byte(), "value ranges differ"),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_frames_are_refused(metric: Metric, case: str) -> None:
    real, predicted, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        metric(real, predicted)


def pair(metric: Metric, clips: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return true and predicted frames (clips, 2, side, side, 3), uint8, large enough."""
    side = SMALLEST if metric is ms_ssim else 13
    real, noise = torch.randint(
        256,
        (2, clips, 2, side, side, 3),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )
    return real, (0.8 * real + 0.2 * noise).byte()


@pytest.mark.parametrize("metric", METRICS)
def test_bytes_and_unit_floats_agree(metric: Metric) -> None:
    real, predicted = pair(metric, 1)
    torch.testing.assert_close(
        metric(real, predicted), metric(real.double() / 255, predicted.double() / 255)
    )


@pytest.mark.parametrize("metric", METRICS)
def test_each_clip_is_scored_by_itself(metric: Metric) -> None:
    real, predicted = pair(metric, 2)
    whole = metric(real, predicted)
    assert whole.shape == (2, 2)
    assert whole.dtype == torch.float64
    torch.testing.assert_close(whole[1:], metric(real[1:], predicted[1:]))


@pytest.mark.parametrize("metric", [each for each in METRICS if each is not motion])
def test_each_frame_is_scored_by_itself(metric: Metric) -> None:
    real, predicted = pair(metric, 1)
    whole = metric(real, predicted)
    torch.testing.assert_close(whole[:, 1:2], metric(real[:, 1:2], predicted[:, 1:2]))


@pytest.mark.parametrize("metric", METRICS)
def test_the_truth_is_the_best_prediction(metric: Metric) -> None:
    real, predicted = pair(metric, 1)
    better = getattr(sys.modules[metric.__module__], "BETTER")  # noqa: B009
    gap = metric(real, real) - metric(real, predicted)
    assert bool((gap > 0).all() if better == "higher" else (gap < 0).all())


@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_video_has_a_defined_value(metric: Metric) -> None:
    real, predicted = pair(metric, 1)
    constant = torch.full_like(real, 128)
    for one, other in ((constant, constant), (constant, predicted), (real, constant)):
        assert bool(torch.isfinite(metric(one, other)).all())


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_that_is_given_changes(metric: Metric) -> None:
    real, predicted = pair(metric, 1)
    before = real.clone(), predicted.clone()
    metric(real, predicted)
    assert torch.equal(real, before[0])
    assert torch.equal(predicted, before[1])


@pytest.mark.parametrize("metric", METRICS)
def test_a_gpu_gives_the_same(metric: Metric) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    real, predicted = pair(metric, 2)
    on_gpu = metric(real.cuda(), predicted.cuda())
    assert on_gpu.device.type == "cuda"
    torch.testing.assert_close(on_gpu.cpu(), metric(real, predicted), rtol=1e-9, atol=1e-9)
