"""Mean absolute error: closed forms, NumPy, symmetry, and its place beside MSE."""

import numpy
import pytest
import torch

from foreframe.metrics.mae import mae
from foreframe.metrics.mse import mse
from tests.foreframe.metrics import pictures


def test_a_constant_offset_is_its_own_error() -> None:
    real = torch.full((1, 2, 4, 4, 3), 100, dtype=torch.uint8)
    predicted = real.clone()
    predicted[:, 1] -= 51
    assert mae(real, predicted).tolist() == [[0.0, pytest.approx(0.2, rel=1e-12)]]


def test_all_black_against_all_white_is_one() -> None:
    black = torch.zeros(1, 1, 4, 4, 3, dtype=torch.uint8)
    assert mae(black, black + 255).tolist() == [[1.0]]


def test_agrees_with_numpy() -> None:
    real = pictures.real(32)
    predicted = pictures.noisy(real, 20)
    error = numpy.abs(real.numpy().astype(int) - predicted.numpy().astype(int))
    expected = error.reshape(3, -1).mean(axis=1) / 255
    numpy.testing.assert_allclose(mae(real, predicted)[0].numpy(), expected, rtol=1e-12)


def test_symmetric_and_no_larger_than_the_root_of_the_squared_error() -> None:
    real = pictures.real(32)
    predicted = pictures.noisy(real, 20)
    torch.testing.assert_close(mae(real, predicted), mae(predicted, real))
    assert bool((mae(real, predicted) <= mse(real, predicted).sqrt()).all())
