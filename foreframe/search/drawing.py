"""What each trial tries: every value is a function of the trial's number and of its own name.

So a search that goes on after a kill, or tries its trials in another order, tries the same ones.
"""

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from foreframe.config.search import Choices, Range, Real, Search, Value, Whole
from foreframe.randomness import numpy_generator

PURPOSE = "search"


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """Return what each searched setting is drawn from, as Optuna writes it."""
    return {name: _distribution(range_) for name, range_ in search.ranges().items()}


def draw(seed: int, number: int, name: str, distribution: BaseDistribution) -> Value:
    """Return the value of one setting in trial `number`.

    Every value of a list or of a range of whole numbers is as likely. Another number is uniform
    between its ends, or its logarithm is: exp(u), u ~ U(log low, log high) (Xu 2022, Table 5.1).
    """
    random = numpy_generator(seed, PURPOSE, number, name)
    if isinstance(distribution, CategoricalDistribution):
        value = distribution.choices[int(random.integers(len(distribution.choices)))]
        assert value is not None
        return value
    if isinstance(distribution, IntDistribution):
        return int(random.integers(distribution.low, distribution.high, endpoint=True))
    assert isinstance(distribution, FloatDistribution), distribution
    low, high = distribution.low, distribution.high
    if not distribution.log:
        return float(random.uniform(low, high))
    # The rounding of exp may leave the range by a last digit.
    return min(max(math.exp(random.uniform(math.log(low), math.log(high))), low), high)


def values_of(search: Search, seed: int, number: int) -> dict[str, Value]:
    """Return all values of one trial, by dotted name."""
    ranges = distributions(search)
    return {name: draw(seed, number, name, range_) for name, range_ in ranges.items()}


class Sampler(BaseSampler):
    """Gives Optuna the values of `draw`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return nothing: no value depends on another, or on earlier trials."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing; see `infer_relative_search_space`."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Value:
        """Return the value of one setting of one trial."""
        return draw(self.seed, trial.number, param_name, param_distribution)


def _distribution(range_: Range) -> BaseDistribution:
    match range_:
        case Choices():
            return CategoricalDistribution(range_.choices)
        case Whole():
            return IntDistribution(range_.low, range_.high)
        case Real():
            return FloatDistribution(range_.low, range_.high, log=range_.log)
