"""Correlations with the loss: the textbook's, with permutations for their chance."""

import itertools

import numpy
import pandas
import pytest
import scipy.stats

from foreframe.search import summary
from foreframe.search.trials import FINISHED
from tests.foreframe.config.test_search import search

SPACE = search(
    space={"width": {"low": 1, "high": 99}, "codebook_init": ["normal", "uniform"]},
)


def correlated(width: list[float], loss: list[float], init: str = "normal") -> dict[str, float]:
    table = pandas.DataFrame({"width": width, "validation_loss": loss})
    table["ending"], table["codebook_init"] = FINISHED, init
    found: dict[str, float] = summary.correlations(SPACE, table, 0)["width"]
    return found


def test_spearman_with_ties_is_the_textbooks() -> None:
    random = numpy.random.Generator(numpy.random.Philox(1))
    for _ in range(5):
        width, loss = random.integers(1, 5, 15).astype(float), random.random(15)
        found = correlated(list(width), list(loss))
        assert found["spearman"] == pytest.approx(scipy.stats.spearmanr(width, loss).statistic)


def test_p_is_the_share_of_all_orders() -> None:
    width, loss = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.3, 0.1, 0.5, 0.4, 0.8, 0.6]
    found = correlated(width, loss)
    orders = [
        abs(scipy.stats.spearmanr(width, order).statistic) for order in itertools.permutations(loss)
    ]
    exact = numpy.mean(numpy.array(orders) >= abs(found["spearman"]) - 1e-9)
    assert found["p"] == pytest.approx(exact, abs=0.015)


def test_order_alone_counts_and_direction_is_the_sign() -> None:
    width, loss = [1.0, 2.0, 30.0, 99.0], [0.9, 0.7, 0.2, 0.1]
    assert correlated(width, loss)["spearman"] == pytest.approx(-1)
    assert correlated(width, [loss**3 for loss in loss])["spearman"] == pytest.approx(-1)
    assert correlated(width, loss[::-1])["spearman"] == pytest.approx(1)


def test_no_order_no_correlation() -> None:
    nothing = {"spearman": None, "p": None}
    assert correlated([1.0, 2.0], [0.1, 0.2]) == nothing
    assert correlated([3.0, 3.0, 3.0], [0.1, 0.2, 0.3]) == nothing
    assert correlated([1.0, 2.0, 3.0], [0.5, 0.5, 0.5]) == nothing


def test_choices_are_ranked_as_listed() -> None:
    table = pandas.DataFrame({"width": 1.0, "validation_loss": [0.1, 0.2, 0.8, 0.9]})
    table["ending"] = FINISHED
    table["codebook_init"] = ["normal", "normal", "uniform", "uniform"]
    found = summary.correlations(SPACE, table, 0)["codebook_init"]
    assert found["spearman"] == pytest.approx(
        scipy.stats.spearmanr([0, 0, 1, 1], table["validation_loss"]).statistic
    )
