"""SSIM: golden values of scikit-image with the same window, symmetry, and its bounds."""

import pytest
import torch
from skimage.metrics import structural_similarity

from foreframe.metrics.ssim import ssim


def noisy_pair(size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return smooth frames and noisy ones, so that the similarity is neither 0 nor 1."""
    generator = torch.Generator().manual_seed(0)
    height, width = size
    ramp = torch.linspace(30, 220, height)[:, None, None] * torch.linspace(0.3, 1, width)[:, None]
    real = ramp.expand(1, 3, height, width, 3)
    noise = torch.randn(1, 3, height, width, 3, generator=generator)
    strength = torch.tensor([3.0, 10.0, 40.0])[:, None, None, None]
    return real.byte(), (real + strength * noise).clamp(0, 255).byte()


@pytest.mark.parametrize("size", [(32, 40), (64, 64), (11, 11)])
def test_agrees_with_scikit_image(size: tuple[int, int]) -> None:
    real, predicted = noisy_pair(size)
    ours = ssim(real, predicted)
    for frame in range(3):
        theirs = structural_similarity(  # type: ignore[no-untyped-call]
            real[0, frame].numpy(),
            predicted[0, frame].numpy(),
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ours[0, frame].item() == pytest.approx(theirs, abs=1e-4)
    assert 0.999 > ours[0, 0] > ours[0, 1] > ours[0, 2]


def test_identical_frames_have_one() -> None:
    real, _ = noisy_pair((16, 16))
    torch.testing.assert_close(ssim(real, real), torch.ones(1, 3, dtype=torch.float64))


def test_constant_frames_differ_by_the_luminance_term_alone() -> None:
    real = torch.full((1, 1, 12, 12, 3), 0.2, dtype=torch.float64)
    predicted = torch.full_like(real, 0.6)
    luminance = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert ssim(real, predicted).item() == pytest.approx(luminance, abs=1e-9)


def test_symmetric() -> None:
    real, predicted = noisy_pair((16, 16))
    torch.testing.assert_close(ssim(real, predicted), ssim(predicted, real))


def test_frames_smaller_than_the_window_are_refused() -> None:
    frames = torch.zeros(1, 1, 10, 32, 3, dtype=torch.uint8)
    with pytest.raises(ValueError, match="smaller than the SSIM window"):
        ssim(frames, frames)
