"""Gaussians of independent dimensions against torch's own."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from foreframe.networks.gaussian import Gaussian, of_steps, stacked, total
from foreframe.randomness import generator

SHAPE = (2, 6, 3)


def raw(name: str = "raw") -> torch.Tensor:
    return generator(0, name).normal(SHAPE)


def test_density_and_divergence_are_those_of_torch() -> None:
    one, other = Gaussian.of(raw()), Gaussian.of(raw("other"))
    ours, theirs = (Normal(each.mean, each.deviation) for each in (one, other))
    value = generator(0, "value").normal((2, 3, 3))
    torch.testing.assert_close(one.log_prob(value), ours.log_prob(value))
    torch.testing.assert_close(one.divergence(other), kl_divergence(ours, theirs))
    assert torch.equal(total(value), value.sum(dim=(1, 2)))


def test_a_network_says_means_and_then_deviations() -> None:
    found, values = Gaussian.of(raw()), raw()
    assert torch.equal(found.mean, values[:, :3])
    torch.testing.assert_close(found.deviation, functional.softplus(values[:, 3:]))
    last = Gaussian.of(raw().transpose(1, 2), dim=-1)
    assert torch.equal(last.mean, found.mean.transpose(1, 2))


@pytest.mark.parametrize(
    ("given", "kept"),
    [(torch.bfloat16, torch.float32), (torch.float32, None), (torch.float64, None)],
)
def test_it_is_of_32_bits_at_least(given: torch.dtype, kept: torch.dtype | None) -> None:
    found = Gaussian.of(raw().to(given))
    assert {found.mean.dtype, found.deviation.dtype} == {kept or given}


def test_a_temperature_scales_the_deviation_alone() -> None:
    found, noise = Gaussian.of(raw()), generator(0, "noise").normal((2, 3, 3))
    whole, half = found.sample(noise) - found.mean, found.sample(noise, 0.5) - found.mean
    torch.testing.assert_close(2 * half, whole)
    torch.testing.assert_close(whole / found.deviation, noise)
    assert torch.equal(Gaussian.standard(noise).sample(noise), noise)


def test_all_steps_in_one_call_are_the_steps_one_by_one() -> None:
    values = generator(0, "values").normal((2, 4, 6, 3))
    together = of_steps(Gaussian.of, values)
    apart = stacked([Gaussian.of(each) for each in values.unbind(dim=1)])
    assert torch.equal(together.mean, apart.mean)
    assert torch.equal(together.deviation, apart.deviation)


def test_moments_are_means_of_each_step_over_all_of_it() -> None:
    steps = torch.tensor([1.0, 2, 3])[None, :, None, None].expand(2, 3, 2, 4)
    mean, deviation = steps.clone(), 10 * steps
    mean[..., 0, 0] += 8
    found = Gaussian(mean, deviation).moments("prior")
    assert found.keys() == {"prior_mean", "prior_deviation"}
    assert torch.equal(found["prior_mean"], torch.tensor([[2.0, 3, 4]] * 2))
    assert torch.equal(found["prior_deviation"], torch.tensor([[10.0, 20, 30]] * 2))
