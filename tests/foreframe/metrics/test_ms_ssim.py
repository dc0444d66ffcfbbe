"""MS-SSIM: a slow reference written from the paper, its bounds, and the smallest frame."""

import numpy
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.image import MultiScaleStructuralSimilarityIndexMeasure

from foreframe.metrics.ms_ssim import SMALLEST, ms_ssim
from tests.foreframe.metrics import pictures

Plane = NDArray[numpy.float64]


def window_means(plane: Plane) -> Plane:
    """Return the Gaussian-weighted mean over each 11 x 11 window that lies inside."""
    offsets = numpy.arange(-5, 6)
    weights = numpy.exp(-(offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    windows = numpy.lib.stride_tricks.sliding_window_view(plane, (11, 11))
    return numpy.asarray(numpy.einsum("ijkl,k,l->ij", windows, weights, weights))


def terms(x: Plane, y: Plane) -> tuple[Plane, Plane]:
    """Return luminance times contrast-structure, and contrast-structure alone, of each window."""
    mean_x, mean_y = window_means(x), window_means(y)
    var_x, var_y = window_means(x * x) - mean_x**2, window_means(y * y) - mean_y**2
    covariance = window_means(x * y) - mean_x * mean_y
    structure = (2 * covariance + 0.03**2) / (var_x + var_y + 0.03**2)
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    return luminance * structure, structure


def halve(plane: Plane) -> Plane:
    height, width = (length // 2 for length in plane.shape)
    return plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))


def reference(real: Plane, predicted: Plane) -> float:
    """Return the MS-SSIM of one frame (H, W, 3) in [0, 1], colour by colour, scale by scale."""
    xs = [real[..., colour] for colour in range(3)]
    ys = [predicted[..., colour] for colour in range(3)]
    product = 1.0
    for scale, beta in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            xs, ys = [halve(x) for x in xs], [halve(y) for y in ys]
        if scale == 4:
            xs, ys = ([numpy.pad(x, 5, mode="reflect") for x in planes] for planes in (xs, ys))
        pairs = [terms(x, y) for x, y in zip(xs, ys, strict=True)]
        mean = numpy.mean([pair[0 if scale == 4 else 1].mean() for pair in pairs])
        product *= max(0.0, float(mean)) ** beta
    return product


@pytest.mark.parametrize("change", ["noise", "blur"])
def test_agrees_with_a_slow_reference(change: str) -> None:
    real = pictures.real(180)
    predicted = pictures.noisy(real, 25) if change == "noise" else pictures.blurred(real, 4)
    ours = ms_ssim(real, predicted)
    for frame in range(3):
        expected = reference(real[0, frame].numpy() / 255, predicted[0, frame].numpy() / 255)
        assert ours[0, frame].item() == pytest.approx(expected, abs=1e-6)
        assert 0.3 < expected < 0.99


def test_is_what_torchmetrics_gives_by_default() -> None:
    real = pictures.real(192)
    predicted = pictures.noisy(real, 25)
    metric = MultiScaleStructuralSimilarityIndexMeasure(data_range=1.0)
    metric.update(*(x[0].double().movedim(-1, 1) / 255 for x in (predicted, real)))
    assert ms_ssim(real, predicted).mean().item() == pytest.approx(float(metric.compute()))


def test_identical_frames_have_one_and_the_order_does_not_matter() -> None:
    real = pictures.real(SMALLEST)
    predicted = pictures.noisy(real, 25)
    torch.testing.assert_close(ms_ssim(real, real), torch.ones(1, 3, dtype=torch.float64))
    torch.testing.assert_close(ms_ssim(real, predicted), ms_ssim(predicted, real))


def test_a_negative_is_never_below_zero() -> None:
    real = pictures.real(SMALLEST)
    assert ms_ssim(real, 255 - real).tolist() == [[0.0] * 3]


def test_the_smallest_frame_is_named() -> None:
    frames = torch.zeros(1, 1, SMALLEST - 1, 200, 3, dtype=torch.uint8)
    with pytest.raises(ValueError, match="at least 176 x 176"):
        ms_ssim(frames, frames)
