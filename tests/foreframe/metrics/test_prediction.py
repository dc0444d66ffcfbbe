"""Scores of predicted frames: one row a frame, means over clips, whatever the batches."""

import pandas
import pytest
import torch

from foreframe.metrics.prediction import FrameScores


def futures(clips: int) -> torch.Tensor:
    """Return random futures (clips, 3, 12, 12, 3), uint8."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (clips, 3, 12, 12, 3), dtype=torch.uint8, generator=generator)


def test_each_frame_has_its_own_row() -> None:
    real = futures(2)
    sample = real.clone()
    sample[:, 2] = 255 - sample[:, 2]
    scores = FrameScores()
    scores.update("mirror", real, sample)
    table = scores.table()
    assert table["predictor"].tolist() == ["mirror"] * 3
    assert table["frame"].tolist() == [1, 2, 3]
    assert table["mse"].tolist()[:2] == [0, 0]
    assert table["ssim"].tolist()[:2] == pytest.approx([1, 1])
    assert table["psnr"].tolist()[2] < table["psnr"].tolist()[1] == 100


def test_batches_do_not_matter() -> None:
    real, sample = futures(5), futures(5).flip(0)
    whole, streamed = FrameScores(), FrameScores()
    whole.update("flip", real, sample)
    for rows in (slice(0, 2), slice(2, 5)):
        streamed.update("flip", real[rows], sample[rows])
    pandas.testing.assert_frame_equal(streamed.table(), whole.table(), rtol=1e-12)


def test_the_mean_is_over_clips_of_each_clips_own_score() -> None:
    real = futures(2)
    sample = real.clone()
    sample[1] = 255 - sample[1]
    scores, second = FrameScores(), FrameScores()
    scores.update("half", real, sample)
    second.update("half", real[1:], sample[1:])
    # One clip is perfect (100 dB), so the mean is half way to it.
    expected = (100 + second.table()["psnr"]) / 2
    assert scores.table()["psnr"].tolist() == pytest.approx(expected.tolist())
