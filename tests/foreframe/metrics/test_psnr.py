"""PSNR: closed forms, golden values of scikit-image, and a defined value for identical frames."""

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from foreframe.metrics.psnr import CAP, psnr


def test_identical_frames_have_the_cap() -> None:
    frames = torch.full((1, 2, 8, 8, 3), 77, dtype=torch.uint8)
    assert psnr(frames, frames).tolist() == [[CAP, CAP]]


def test_one_wrong_value_stays_below_the_cap() -> None:
    real = torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8)
    predicted = real.clone()
    predicted[0, 0, 5, 5, 1] = 1
    assert psnr(real, predicted).item() < CAP


def test_a_tenth_of_the_range_is_twenty_decibels() -> None:
    real = torch.full((1, 1, 4, 4, 3), 0.4, dtype=torch.float64)
    assert psnr(real, real + 0.1).item() == pytest.approx(20, abs=1e-9)


def test_agrees_with_scikit_image() -> None:
    generator = torch.Generator().manual_seed(0)
    real, predicted = torch.randint(
        256, (2, 2, 3, 20, 24, 3), dtype=torch.uint8, generator=generator
    )
    ours = psnr(real, predicted)
    for clip in range(2):
        for frame in range(3):
            theirs = peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
                real[clip, frame].numpy(), predicted[clip, frame].numpy(), data_range=255
            )
            assert ours[clip, frame].item() == pytest.approx(theirs, abs=1e-4)


def test_the_mean_over_frames_is_not_the_psnr_of_the_mean_error() -> None:
    real = torch.full((1, 2, 4, 4, 3), 0.5, dtype=torch.float64)
    predicted = real.clone()
    predicted[:, 0] += 0.1
    predicted[:, 1] += 0.001
    assert psnr(real, predicted).mean().item() == pytest.approx(40, abs=1e-9)
