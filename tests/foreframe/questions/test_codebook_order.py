"""Laws of the order of a codebook: a chain has one, a shuffled one has none."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from foreframe.questions import codebook_order
from foreframe.questions.codebook_order import plane, spearman, structure
from foreframe.randomness import generator
from tests.foreframe.questions import hand_made

COUNT = 100


def chain() -> torch.Tensor:
    """Return codes (K,3) that are evenly apart on a straight line."""
    return torch.arange(COUNT).double()[:, None] * torch.tensor([[1.0, -2.0, 2.0]])


def scattered(count: int = COUNT) -> torch.Tensor:
    return generator(0, "codes").normal((count, 3)).double()


def test_a_straight_chain_is_in_order() -> None:
    found = structure(chain())
    # The mean of |i - j| over all pairs is (K + 1) / 3.
    assert found["adjacency"] == pytest.approx(3 / (COUNT + 1))
    assert found["spearman"] == pytest.approx(1)
    assert found["at_origin"] == 1  # the first code
    assert found["norm"] == pytest.approx(3 * (COUNT - 1) / 2)
    assert found["log_determinant"] is None  # it fills a line of three dimensions


def test_without_order_neighbours_are_as_far_as_any() -> None:
    order = generator(0, "order").permutation(COUNT)
    for codes in (chain()[order], scattered()):
        found = structure(codes)
        assert found["adjacency"] == pytest.approx(1, abs=0.15)
        assert abs(found["spearman"]) < 0.1


def test_order_is_a_matter_of_indices_and_size_is_not() -> None:
    codes = scattered()
    other = structure(codes[generator(0, "order").permutation(COUNT)])
    found = structure(codes)
    for name in ("norm", "log_determinant", "at_origin"):
        assert found[name] == pytest.approx(other[name])
    assert found["adjacency"] != pytest.approx(other["adjacency"])
    larger = structure(4 * codes)
    grown = larger["log_determinant"] - found["log_determinant"]
    assert grown == pytest.approx(2 * 3 * torch.tensor(4.0).log().item())
    for name in ("adjacency", "spearman"):
        assert larger[name] == pytest.approx(found[name])


@pytest.mark.parametrize("codes", [torch.zeros(1, 3).double(), torch.ones(5, 3).double()])
def test_codes_that_cannot_be_compared_have_no_order(codes: torch.Tensor) -> None:
    found = structure(codes)
    assert (found["adjacency"], found["spearman"], found["log_determinant"]) == (None,) * 3


def test_rank_correlation_is_that_of_scipy() -> None:
    one = generator(0, "one").integers(0, 9, (200,)).double()
    other = one + generator(0, "other").integers(0, 9, (200,)).double()
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert spearman(one, torch.ones_like(one)) is None


def test_a_plane_keeps_distances_of_what_lies_in_it() -> None:
    flat = torch.zeros(COUNT, 5, dtype=torch.float64)
    flat[:, 1], flat[:, 3] = scattered()[:, 0], 3 * scattered()[:, 1]
    points, explained = plane(flat)
    torch.testing.assert_close(torch.cdist(points, points), torch.cdist(flat, flat))
    assert explained == pytest.approx(1)
    assert points[:, 0].var() > points[:, 1].var()
    assert plane(torch.ones(4, 3).double())[1] is None
    assert plane(torch.arange(4).double()[:, None])[0][:, 1].tolist() == [0] * 4


def test_use_is_counted_over_each_set(tmp_path: Path) -> None:
    train, test = hand_made.flat(10, 10, 20, 30), hand_made.flat(10, 40)
    answer, arrays = hand_made.asked(
        tmp_path / "a.h5", codebook_order, {"show": 0}, hand_made.model(), test, train=train
    )
    for level in ("top", "bottom"):
        found = answer.values[level]
        assert found["usage"] == {"train": 3 / 256, "test": 2 / 256}
        assert found["perplexity"]["test"] == pytest.approx(2)
        assert (found["all"]["codes"], found["used"]["codes"]) == (256, 3)
        assert found["all"]["spearman"] == pytest.approx(1, abs=1e-3)
        assert found["used"]["adjacency"] == pytest.approx(10 / (40 / 3))
        # The encoder gives grey levels.
        assert found["outputs"] == pytest.approx(25 / 255, rel=1e-5)
        places = hand_made.SIDE**2 // (64 if level == "top" else 16)
        assert arrays[f"{level}_counts"][[10, 20, 30, 40]].tolist() == [
            2 * places, places, places, 0
        ]  # fmt: skip
        assert arrays[f"{level}_points"].shape == (256, 2)


def test_a_codebook_shows_no_clips() -> None:
    with pytest.raises(ValidationError, match="Set it to 0"):
        codebook_order.Settings(kind="codebook_order", clips=None, show=1)
