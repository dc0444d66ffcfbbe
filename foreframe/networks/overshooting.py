"""Latent overshooting: a prior that is rolled several steps must agree too (Hafner et al. 2019).

In place of the KL of step t stands the mean over d = 1 ... D of KL(q(z_t+d-1) || p(z_t+d-1)), where
p is the prior rolled d - 1 steps from the z_t-1 that q drew. For d > 1 the posterior is held fixed,
so that it is not drawn to bad forecasts. Near the end of a clip there are fewer steps to take.

Shapes: B rows, S steps, any others of a latent.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks.gaussian import Gaussian

# From priors of the first S - d steps to those of the last S - d, d steps after what was drawn.
Roll = Callable[[Gaussian, int], Gaussian]


def divergence(
    posterior: Gaussian, compared: Gaussian, path: Gaussian, depth: int, roll: Roll
) -> Tensor:
    """Return the mean (B,S) over D divergences, in nats.

    Args:
        posterior: q of each step, (B,S,...).
        compared: the prior of d = 1.
        path: the prior after what q drew, from which it is rolled.
        depth: D; 1 is the plain KL.
        roll: rolls priors one step further.
    """
    steps, rolled = path.mean.shape[1], path
    found = [_total(posterior.divergence(compared))]
    for ahead in range(1, min(depth, steps)):
        rolled = roll(_cut(rolled, slice(steps - ahead)), ahead)
        later = _cut(posterior, slice(ahead, None))
        fixed = Gaussian(later.mean.detach(), later.deviation.detach())
        found.append(functional.pad(_total(fixed.divergence(rolled)), (0, ahead)))
    counts = [min(depth, steps - step) for step in range(steps)]
    return torch.stack(found).sum(dim=0) / torch.tensor(counts, device=path.mean.device)


def _cut(gaussian: Gaussian, steps: slice) -> Gaussian:
    return Gaussian(gaussian.mean[:, steps], gaussian.deviation[:, steps])


def _total(values: Tensor) -> Tensor:
    return values.flatten(2).sum(dim=2)
