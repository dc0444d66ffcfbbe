"""What couplings, split priors and base densities begin as, and how they learn."""

import math

import pytest
import torch
from torch import Tensor

from foreframe.networks.flows.base import BaseDistribution, Deviation
from foreframe.networks.flows.convolutions import ZeroConvolution
from foreframe.networks.flows.coupling import Coupling
from foreframe.networks.flows.split import SplitPrior
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator
from tests.foreframe.networks.flows.examples import HIDDEN, scrambled

CHANNELS, CONDITION = 4, 3


def pictures(*channels: int) -> list[Tensor]:
    numbers = generator(2, "pictures")
    return [numbers.normal((2, count, 4, 4)) for count in channels]


def test_a_coupling_begins_as_the_identity() -> None:
    made, (x, condition) = Coupling(CHANNELS, HIDDEN, CONDITION), pictures(CHANNELS, CONDITION)
    initialize(made, generator(0, "weights"))
    y, log_determinant = made(x, condition)
    assert torch.equal(y, x)
    assert torch.equal(log_determinant, torch.zeros(2))


def test_from_its_start_a_coupling_learns_shifts_and_scales() -> None:
    """With a bound that began as 0 the scales' half of the network would never learn."""
    made, (x, condition) = Coupling(CHANNELS, HIDDEN, CONDITION), pictures(CHANNELS, CONDITION)
    initialize(made, generator(0, "weights"))
    y, log_determinant = made(x, condition)
    (y.square().sum() - log_determinant.sum()).backward()
    gradient = made.network[2].weight.grad
    assert isinstance(gradient, Tensor)
    assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("conditional", [False, True])
def test_a_coupling_keeps_one_half_and_undoes_the_other(conditional: bool) -> None:
    made = Coupling(CHANNELS, HIDDEN, CONDITION if conditional else 0)
    scrambled(made)
    x, condition = pictures(CHANNELS, CONDITION)
    seen = condition if conditional else None
    y, _ = made(x, seen)
    assert torch.equal(y[:, :2], x[:, :2])
    assert not torch.allclose(y[:, 2:], x[:, 2:])
    torch.testing.assert_close(made.inverse(y, seen), x)


def test_scales_stay_within_their_bounds_whatever_the_picture() -> None:
    made, (x, condition) = Coupling(CHANNELS, HIDDEN, CONDITION), pictures(CHANNELS, CONDITION)
    scrambled(made, 0.5)
    log_alpha, _ = made.terms(1e4 * x[:, :2], 1e4 * condition)
    middle, bound = made.offset[:, None, None], made.bound.abs()[:, None, None]
    assert ((log_alpha - middle).abs() <= bound + 1e-6).all()
    assert (log_alpha - middle).abs().max() > 0.9 * bound.min()


def test_a_split_begins_as_one_gaussian_whatever_it_sees() -> None:
    made, (kept, condition) = SplitPrior(2, CONDITION), pictures(2, CONDITION)
    initialize(made, generator(0, "weights"))
    prior = made(kept, condition)
    assert torch.equal(prior.mean, torch.zeros_like(kept))
    torch.testing.assert_close(prior.deviation, torch.full_like(kept, math.log(2)))


def test_a_split_sees_both_the_half_that_goes_on_and_the_condition() -> None:
    made, (kept, condition) = SplitPrior(2, CONDITION), pictures(2, CONDITION)
    scrambled(made)
    prior = made(kept, condition)
    for changed in (made(kept + 1, condition), made(kept, condition + 1)):
        assert not torch.allclose(changed.mean, prior.mean)
        assert not torch.allclose(changed.deviation, prior.deviation)
    assert (prior.deviation > 0).all()
    alone = SplitPrior(2, 0)
    scrambled(alone)
    assert alone(kept, None).mean.shape == kept.shape


@pytest.mark.parametrize(("deviation", "start"), [("softplus", math.log(2)), ("exp", 1.0)])
def test_a_base_begins_as_one_gaussian_and_then_follows_the_state(
    deviation: Deviation, start: float
) -> None:
    made, (state,) = BaseDistribution(CONDITION, 2, 2 * HIDDEN, deviation), pictures(CONDITION)
    initialize(made, generator(0, "weights"))
    found = made(state)
    assert torch.equal(found.mean, torch.zeros(2, 2, 4, 4))
    torch.testing.assert_close(found.deviation, torch.full((2, 2, 4, 4), start))
    scrambled(made)
    assert not torch.allclose(made(state).mean, made(state + 1).mean)


def test_an_exponential_deviation_multiplies_where_a_softplus_adds() -> None:
    exponential, softplus = (
        BaseDistribution(CONDITION, 2, 2 * HIDDEN, kind) for kind in ("exp", "softplus")
    )
    for made in (exponential, softplus):
        scrambled(made)
        with torch.no_grad():
            last = made.network[2]
            assert isinstance(last, ZeroConvolution)
            initialize(last, generator(0, "weights"))
            last.bias.fill_(20.0)
    (state,) = pictures(CONDITION)
    torch.testing.assert_close(exponential(state).deviation, torch.full((2, 2, 4, 4), math.e**20))
    torch.testing.assert_close(softplus(state).deviation, torch.full((2, 2, 4, 4), 20.0))
