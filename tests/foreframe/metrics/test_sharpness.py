"""Sharpness: scikit-image's Laplacian, falling with blur, and the ratio over the horizon."""

import itertools
import math

import numpy
import pytest
import torch
from numpy.typing import NDArray
from skimage.filters import laplace

from foreframe.metrics.mean import Mean
from foreframe.metrics.relative import FLOOR, ratio
from foreframe.metrics.sharpness import both, sharpness
from tests.foreframe.metrics import pictures


def laplacian(plane: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    return laplace(plane)  # type: ignore[no-untyped-call]


def test_is_the_mean_absolute_laplacian_of_scikit_image() -> None:
    real = pictures.real(48)
    predicted = pictures.noisy(real, 10)
    ours = both(real, predicted)
    for which, frames in enumerate((real, predicted)):
        for frame in range(3):
            planes = numpy.moveaxis(frames[0, frame].numpy() / 255, -1, 0)
            inner = [numpy.abs(laplacian(x)[1:-1, 1:-1]) for x in planes]
            expected = numpy.mean(inner)
            assert ours[0, frame, which].item() == pytest.approx(expected, abs=1e-9)


def test_one_bright_pixel_counts_as_its_laplacian() -> None:
    real = torch.zeros(1, 1, 5, 5, 3, dtype=torch.uint8)
    predicted = real.clone()
    predicted[0, 0, 2, 2] = 255
    # 4 in the middle and 1 at each of its four neighbours, over nine inner pixels.
    assert both(real, predicted).tolist() == [[[0.0, pytest.approx(8 / 9)]]]


def test_the_more_blur_the_less_sharp() -> None:
    real = pictures.real(64)
    values = [both(real, pictures.blurred(real, times))[..., 1] for times in range(5)]
    for sharper, softer in itertools.pairwise(values):
        assert bool((softer < 0.95 * sharper).all())


def test_brightness_does_not_matter_and_contrast_scales() -> None:
    real = pictures.real(32).double() / 255
    values = both(0.5 * real, 0.25 * real + 0.3)
    torch.testing.assert_close(values[..., 0], 2 * values[..., 1])


def test_half_and_twice_are_one_octave() -> None:
    real = pictures.real(32).double() / 510
    half, twice = real / 2, real * 2
    for predicted in (half, twice):
        assert sharpness(real, predicted)[0].tolist() == pytest.approx([1.0] * 3, abs=0.03)


def test_the_truth_has_none_and_the_order_does_not_matter() -> None:
    real = pictures.real(32)
    predicted = pictures.blurred(real, 2)
    assert sharpness(real, real).tolist() == [[0.0] * 3]
    torch.testing.assert_close(sharpness(real, predicted), sharpness(predicted, real))


def test_constant_video_is_as_sharp_as_constant_video() -> None:
    constant = torch.full((1, 2, 8, 8, 3), 0.4, dtype=torch.float64)
    real = constant.clone()
    real[:, :, 3, 3] = 1
    assert sharpness(constant, constant).tolist() == [[0.0, 0.0]]
    ours = sharpness(real, constant)[0, 0].item()
    energy = both(real, constant)[0, 0, 0].item()
    assert ours == pytest.approx(math.log2((energy + FLOOR) / FLOOR))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_decay_is_the_ratio_of_means_whatever_the_batches(batch: int) -> None:
    real = torch.cat([pictures.real(16 + 8 * clip)[:, :, :16, :16] for clip in range(5)])
    predicted = real // 2 + 60
    mean = Mean()
    for true, made in zip(real.split(batch), predicted.split(batch), strict=True):
        mean.update(both(true, made))
    values = both(real, predicted)
    expected = values[..., 1].sum(dim=0) / values[..., 0].sum(dim=0)
    assert ratio(mean.result()) == pytest.approx(expected.tolist())


def test_constant_video_has_no_decay() -> None:
    assert ratio(torch.tensor([[2.0, 1.0], [0.0, 1.0]])) == [0.5, None]


def test_frames_without_an_inner_pixel_are_refused() -> None:
    frames = torch.zeros(1, 1, 2, 9, 3, dtype=torch.uint8)
    with pytest.raises(ValueError, match="no inner pixel"):
        sharpness(frames, frames)
