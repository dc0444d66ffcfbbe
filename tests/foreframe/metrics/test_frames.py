"""Every image metric refuses what it cannot measure, and says what is wrong."""

from collections.abc import Callable

import pytest
import torch

from foreframe.metrics.mse import mse
from foreframe.metrics.psnr import psnr
from foreframe.metrics.ssim import ssim

Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
GOOD = torch.full((1, 2, 12, 12, 3), 0.5)
NAN = GOOD.clone()
NAN[0, 1, 3, 4, 2] = float("nan")

BAD = {
    "unequal shapes": (GOOD, GOOD[:, :1], "shape"),
    "empty": (GOOD[:0], GOOD[:0], "nothing to measure"),
    "grey": (GOOD[..., :1], GOOD[..., :1], "frames must be"),
    "one image": (GOOD[0], GOOD[0], "frames must be"),
    "NaN": (GOOD, NAN, "the predicted values hold NaN"),
    "standardised": (GOOD * -1, GOOD, "the real frames .* span"),
    "0..255 as floats": (GOOD, GOOD * 255, "undo the normalization"),
    "integers that are no bytes": (GOOD.int(), GOOD.int(), "give floating point"),
    "two dtypes": (GOOD, GOOD.byte(), "value ranges differ"),
}


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_frames_are_refused(metric: Metric, case: str) -> None:
    real, predicted, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        metric(real, predicted)


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_bytes_and_unit_floats_agree(metric: Metric) -> None:
    real, predicted = torch.randint(
        256, (2, 2, 3, 13, 14, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(
        metric(real, predicted), metric(real.double() / 255, predicted.double() / 255)
    )


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_each_frame_is_scored_by_itself(metric: Metric) -> None:
    real, predicted = torch.rand(2, 4, 3, 12, 12, 3, generator=torch.Generator().manual_seed(1))
    whole = metric(real, predicted)
    assert whole.shape == (4, 3)
    assert whole.dtype == torch.float64
    single = metric(real[2:3, 1:2], predicted[2:3, 1:2])
    torch.testing.assert_close(whole[2:3, 1:2], single)
