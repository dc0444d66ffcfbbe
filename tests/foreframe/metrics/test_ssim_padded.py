"""SSIM with padded borders is torchmetrics' default, and is another number than SSIM without."""

import pytest
import torch
from torchmetrics.image import StructuralSimilarityIndexMeasure

from foreframe.metrics.ssim import ssim
from foreframe.metrics.ssim_padded import ssim_padded
from tests.foreframe.metrics import pictures


def default(real: torch.Tensor, predicted: torch.Tensor) -> float:
    """Return what torchmetrics' class gives for one frame with nothing set but the range."""
    metric = StructuralSimilarityIndexMeasure(data_range=1.0)
    metric.update(*(x.double().permute(2, 0, 1)[None] / 255 for x in (predicted, real)))
    value = metric.compute()
    assert isinstance(value, torch.Tensor)
    return value.item()


@pytest.mark.parametrize("side", [11, 64, 128])
def test_is_what_torchmetrics_gives_by_default(side: int) -> None:
    real = pictures.real(side)
    predicted = pictures.noisy(real, 20)
    ours = ssim_padded(real, predicted)
    for frame in range(3):
        expected = default(real[0, frame], predicted[0, frame])
        assert ours[0, frame].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("side", [16, 64])
def test_borders_change_the_number(side: int) -> None:
    real = pictures.real(side)
    predicted = pictures.noisy(real, 20)
    assert bool(((ssim(real, predicted) - ssim_padded(real, predicted)).abs() > 1e-3).all())


def test_identical_frames_have_one() -> None:
    real = pictures.real(32)
    torch.testing.assert_close(ssim_padded(real, real), torch.ones(1, 3, dtype=torch.float64))


def test_symmetric() -> None:
    real = pictures.real(32)
    predicted = pictures.blurred(real, 3)
    torch.testing.assert_close(ssim_padded(real, predicted), ssim_padded(predicted, real))
