"""Places that are told: shares by counting, and controls by cases that can be seen at once."""

import pytest
import torch

from foreframe.evaluation import locating
from foreframe.randomness import generator

COUNT, CLASSES = 50, 36


def test_a_class_is_among_the_best_where_fewer_are_likelier() -> None:
    log_NK = generator(0, "scores").normal((COUNT, CLASSES))
    actual_N = generator(0, "actual").integers(0, CLASSES, (COUNT,))
    own_N1 = log_NK.gather(1, actual_N[:, None])
    likelier_N = (log_NK > own_N1).sum(dim=1)
    for best in locating.BEST:
        wanted = (likelier_N < best).double()
        assert torch.equal(locating.among(log_NK, actual_N, best), wanted)
    told = locating.told(log_NK, actual_N, 0, "test")
    assert told["top_1"]["mean"] <= told["top_5"]["mean"]
    assert locating.among(log_NK, actual_N, 100).all()


def test_cells_are_apart_by_rows_and_columns() -> None:
    one, other = torch.tensor([0, 7, 35, 5]), torch.tensor([0, 14, 0, 30])
    assert locating.apart(one, other, CLASSES).tolist() == [0, 2, 10, 10]
    assert torch.equal(locating.apart(one, other, CLASSES), locating.apart(other, one, CLASSES))


def test_controls_need_counts_alone() -> None:
    train, actual = torch.tensor([3, 3, 3, 1, 1, 2]), torch.tensor([3, 1, 1, 0])
    found = locating.without(train, actual, 4)
    assert found["chance"] == {"top_1": 0.25, "top_5": 1.0}
    assert found["frequent"] == {"top_1": 0.25, "top_5": 1.0}


def test_where_it_was_last_seen_is_the_last_time_that_a_share_of_it_was() -> None:
    cells = torch.tensor([[4.0, 5.0, 6.0], [4.0, 5.0, 6.0], [4.0, 5.0, 6.0]])
    shares = torch.tensor([[1.0, 0.1, 0.0], [0.5, 1.0, 0.2], [0.0, 0.0, 0.0]])
    assert locating.last_seen(cells, shares).tolist() == [5, 6, -1]


@pytest.mark.parametrize("frames", [1, 7])
def test_what_is_always_seen_is_known(frames: int) -> None:
    cells = generator(0, "cells").integers(0, CLASSES, (COUNT, frames))
    found = locating.last_seen(cells, torch.ones(COUNT, frames))
    assert torch.equal(found, cells[:, -1])
