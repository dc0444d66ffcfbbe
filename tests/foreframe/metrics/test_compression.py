"""The bits that codes save: the thesis's shapes, and bad input."""

import math

import pytest

from foreframe.metrics.compression import compression


def test_the_thesis_shapes() -> None:
    result = compression(16, 256, 256, [((4, 32, 32), 512), ((8, 64, 64), 512)])
    assert result.raw_bits == 25_165_824
    assert result.code_bits == 331_776
    assert 100 * result.reduction == pytest.approx(98.68, abs=0.005)
    assert result.factor == pytest.approx(75.9, abs=0.05)


def test_a_codebook_of_any_size_counts_its_logarithm() -> None:
    assert compression(1, 1, 1, [((1, 1, 2), 3)]).code_bits == pytest.approx(2 * math.log2(3))


def test_raw_values_as_codes_save_nothing() -> None:
    result = compression(2, 4, 4, [((2, 4, 12), 256)])
    assert (result.reduction, result.factor) == (0, 1)


@pytest.mark.parametrize("grids", [[], [((1, 1, 1), 1)]])
def test_no_codes_are_refused(grids: list[tuple[tuple[int, int, int], int]]) -> None:
    with pytest.raises(ValueError, match="at least one level"):
        compression(16, 64, 64, grids)
