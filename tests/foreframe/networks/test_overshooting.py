"""Latent overshooting in a chain of Gaussians that can be rolled by hand."""

import pytest
import torch
from torch import Tensor

from foreframe.networks.gaussian import Gaussian
from foreframe.networks.overshooting import divergence
from foreframe.randomness import generator

ROWS, STEPS = 2, 4
DECAY, SPREAD = 0.8, 0.6


def chain() -> tuple[Gaussian, Gaussian, Tensor]:
    """Return q, p after what it drew (here: its means), and the latent before each step."""
    numbers = generator(0, "chain")
    mean = numbers.normal((ROWS, STEPS, 3)).requires_grad_()
    deviation = numbers.uniform((ROWS, STEPS, 3), 0.5, 1.5).requires_grad_()
    before = torch.cat([torch.zeros(ROWS, 1, 3), mean.detach()[:, :-1]], dim=1)
    return Gaussian(mean, deviation), prior(before), before


def prior(before: Tensor) -> Gaussian:
    return Gaussian(DECAY * before, torch.full_like(before, SPREAD))


def means(priors: Gaussian, ahead: int) -> Gaussian:
    """Roll on from the mean, as without noise."""
    return prior(priors.mean)


@pytest.mark.parametrize("depth", [1, 2, 3, 9])
def test_it_is_the_mean_of_divergences_from_the_prior_rolled_on(depth: int) -> None:
    posterior, path, before = chain()
    found = divergence(posterior, path, path, depth, means)
    for step in range(STEPS):
        each = []
        for ahead in range(min(depth, STEPS - step)):
            rolled = Gaussian(DECAY ** (ahead + 1) * before[:, step], path.deviation[:, 0])
            target = step + ahead
            later = Gaussian(posterior.mean[:, target], posterior.deviation[:, target])
            each.append(later.divergence(rolled).sum(dim=1))
        torch.testing.assert_close(found[:, step], torch.stack(each).mean(dim=0))


def test_of_depth_1_it_is_the_divergence_of_what_is_compared() -> None:
    posterior, path, _ = chain()
    compared = Gaussian(path.mean + 1, path.deviation)
    found = divergence(posterior, compared, path, 1, means)
    assert torch.equal(found, posterior.divergence(compared).sum(dim=2))


def test_the_posterior_learns_from_the_next_step_alone() -> None:
    counts, gradients = torch.tensor([3.0, 3.0, 2.0, 1.0]), []
    for depth, weights in ((3, counts), (1, torch.ones(STEPS))):
        posterior, path, _ = chain()
        (divergence(posterior, path, path, depth, means) * weights).sum().backward()
        assert posterior.mean.grad is not None
        assert posterior.deviation.grad is not None
        gradients.append((posterior.mean.grad, posterior.deviation.grad))
    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_prior_learns_from_all_steps() -> None:
    posterior, path, _ = chain()
    free = Gaussian(path.mean.clone().requires_grad_(), path.deviation)
    divergence(posterior, path, free, 3, means).sum().backward()
    assert free.mean.grad is not None
    assert free.mean.grad[:, :-1].abs().min() > 0
    assert not free.mean.grad[:, -1].any()
