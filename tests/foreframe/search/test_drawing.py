"""Trials are functions of seed, number and name; draws have the distributions they are said to."""

import math

import numpy
import optuna
import scipy.stats
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from foreframe.search import drawing
from tests.foreframe.config.test_search import search

COUNT = 400
LOG = FloatDistribution(1e-5, 1e-2, log=True)


def drawn(distribution: optuna.distributions.BaseDistribution) -> list[float]:
    found = [drawing.draw(0, number, "x", distribution) for number in range(COUNT)]
    return [float(value) for value in found]


def test_optuna_asks_for_the_same_values_in_any_order() -> None:
    expected = [drawing.values_of(search(), 5, number) for number in range(6)]
    study = optuna.create_study(sampler=drawing.Sampler(5))
    trials = [study.ask(drawing.distributions(search())) for _ in range(6)]
    assert [trial.params for trial in trials] == expected
    # One by one, the last setting first, and after other trials were told of.
    study = optuna.create_study(sampler=drawing.Sampler(5))
    for values in expected:
        trial = study.ask()
        assert (
            trial.suggest_float("training.learning_rate", 1e-5, 1e-2, log=True)
            == (values["training.learning_rate"])
        )
        assert trial.suggest_categorical("width", [64, 128, 256]) == values["width"]
        study.tell(trial, 1.0)
    assert drawing.values_of(search(), 6, 0) != expected[0]


def test_a_search_of_more_trials_begins_with_those_of_a_shorter_one() -> None:
    short, long = search(trials=2), search(trials=9)
    assert drawing.values_of(short, 0, 1) == drawing.values_of(long, 0, 1)


def test_a_setting_does_not_depend_on_which_others_are_searched() -> None:
    alone = search(space={"width": [64, 128, 256]})
    for number in range(5):
        assert (
            drawing.values_of(alone, 0, number)["width"]
            == (drawing.values_of(search(), 0, number)["width"])
        )


def test_numbers_are_uniform_in_their_logarithm_or_themselves() -> None:
    logs = [math.log10(value) for value in drawn(LOG)]
    assert scipy.stats.kstest(logs, scipy.stats.uniform(-5, 3).cdf).pvalue > 0.01
    plain = drawn(FloatDistribution(2.0, 6.0))
    assert scipy.stats.kstest(plain, scipy.stats.uniform(2, 4).cdf).pvalue > 0.01
    assert min(drawn(LOG)) >= 1e-5
    assert max(drawn(LOG)) <= 1e-2


def test_choices_and_whole_numbers_are_equally_likely() -> None:
    for distribution, values in (
        (CategoricalDistribution((8, 16, 32)), [8, 16, 32]),
        (IntDistribution(2, 12), list(range(2, 13))),
    ):
        found, counts = numpy.unique(drawn(distribution), return_counts=True)
        assert list(found) == values
        assert scipy.stats.chisquare(counts).pvalue > 0.01


def test_a_range_of_one_value_gives_that_value() -> None:
    assert set(drawn(FloatDistribution(1e-3, 1e-3, log=True))) == {1e-3}
    assert set(drawn(IntDistribution(4, 4))) == {4.0}
