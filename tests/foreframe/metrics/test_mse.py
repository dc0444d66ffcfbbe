"""Mean squared error: closed forms in both of its units."""

import pytest
import torch

from foreframe.metrics.mse import mse, standardised_mse


def test_a_constant_offset_gives_its_square() -> None:
    real = torch.full((1, 2, 4, 4, 3), 100, dtype=torch.uint8)
    predicted = real.clone()
    predicted[:, 1] += 51
    assert mse(real, predicted).tolist() == [[0.0, pytest.approx(0.2**2, rel=1e-12)]]


def test_all_black_against_all_white_is_one() -> None:
    black = torch.zeros(1, 1, 4, 4, 3, dtype=torch.uint8)
    assert mse(black, black + 255).tolist() == [[1.0]]


def test_standardised_error_is_not_clamped() -> None:
    real = torch.zeros(2, 3, 2, 4, 4)
    predicted = real.clone()
    predicted[1] = -5
    assert standardised_mse(real, predicted).tolist() == [0.0, 25.0]


def test_standardised_error_is_averaged_in_float64() -> None:
    predicted = torch.full((1, 3, 16, 64, 64), 0.1)
    error = standardised_mse(torch.zeros_like(predicted), predicted).item()
    assert error == pytest.approx(predicted[0, 0, 0, 0, 0].square().item(), rel=1e-12)


def test_units_differ_by_the_variance_of_the_training_set() -> None:
    real, predicted = torch.rand(2, 1, 2, 4, 4, 3, generator=torch.Generator().manual_seed(0))
    std = 0.2
    standardised = [((x - 0.5) / std).movedim(-1, 1) for x in (real, predicted)]
    torch.testing.assert_close(
        standardised_mse(*standardised) * std**2, mse(real, predicted).mean(1)
    )


@pytest.mark.parametrize(
    ("real", "predicted", "message"),
    [
        (torch.zeros(1, 3, 2, 4, 4), torch.zeros(1, 1, 2, 4, 4), "shape"),
        (torch.zeros(0, 3, 2, 4, 4), torch.zeros(0, 3, 2, 4, 4), "nothing to measure"),
        (torch.zeros(1, 1), torch.full((1, 1), float("inf")), "predicted values hold NaN"),
        (torch.zeros(1, 1).byte(), torch.zeros(1, 1).byte(), "give floating point"),
    ],
)
def test_bad_input_is_refused(real: torch.Tensor, predicted: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        standardised_mse(real, predicted)
