"""Likelihoods of a fixed scale are those of the distributions that they are named after."""

import pytest
import torch
from torch.distributions import Bernoulli, Distribution, Laplace, Normal

from foreframe.networks.likelihoods import unit_scale
from foreframe.randomness import generator

RAW = 3 * generator(0, "raw").normal((2, 3))
X = generator(0, "x").uniform((2, 3))


@pytest.mark.parametrize(
    ("likelihood", "distribution", "x"),
    [
        ("laplace", Laplace(RAW.sigmoid(), 1.0), X),
        ("gaussian", Normal(RAW.sigmoid(), 1.0), X),
        ("bernoulli", Bernoulli(logits=RAW), X.round()),
    ],
)
def test_error_and_constant_are_the_negative_log_density(
    likelihood: unit_scale.Likelihood, distribution: Distribution, x: torch.Tensor
) -> None:
    found = unit_scale.error(likelihood, x, RAW) + unit_scale.CONSTANTS[likelihood]
    torch.testing.assert_close(found, -distribution.log_prob(x))
