"""A table of confusions against one that is counted by hand and by its laws."""

import pytest
import torch

from foreframe.probing import confusion


def test_rows_are_predicted_and_columns_actual() -> None:
    predicted, actual = torch.tensor([0, 0, 2, 1]), torch.tensor([1, 0, 2, 1])
    assert confusion.table(predicted, actual, 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_what_two_folds_say() -> None:
    tables = torch.tensor([[[3, 2], [1, 2]], [[4, 0], [0, 2]]])
    found = confusion.summary(tables, ("one", "two"))
    assert found["accuracy"]["folds"] == [5 / 8, 1.0]
    assert found["accuracy"]["mean"] == pytest.approx(13 / 16)
    assert found["accuracy"]["deviation"] == pytest.approx(3 / 8 / 2**0.5)
    assert found["recall"] == pytest.approx({"one": 7 / 8, "two": 4 / 6})
    assert found["macro_recall"] == pytest.approx((7 / 8 + 4 / 6) / 2)
    assert found["most_named"] == 9 / 14  # (3 + 2 + 4) of the first row
    assert found["majority"] == 8 / 14 and found["chance"] == 0.5 and found["clips"] == 14


def test_naming_the_largest_class_alone_gets_the_majority() -> None:
    actual = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    table = confusion.table(torch.zeros_like(actual), actual, 3)
    found = confusion.summary(table[None].repeat(2, 1, 1), ("a", "b", "c"))
    assert found["accuracy"]["mean"] == found["majority"] == 0.5
    assert found["accuracy"]["deviation"] == 0
    assert found["most_named"] == 1.0
    assert found["macro_recall"] == pytest.approx(1 / 3)
