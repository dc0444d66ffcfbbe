"""Receptive fields of the priors: which codes the prediction in the middle of the grid depends on.

The gradient of log p at the middle position with respect to the one-hot inputs, as in the
comparison of PixelSNAIL with gated PixelCNN (Chen 2018; Xu 2022, Figure 3.8): inputs whose gradient
is larger than 0.001 are marked. Randomly initialised networks show what the architecture reaches,
trained ones what it has learned to use.

Shapes: T H W code grid, K codes, F channels.
"""

from collections.abc import Mapping
from typing import Any

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from foreframe import priors
from foreframe.errors import UserError
from foreframe.priors import AutoregressivePrior, Grid
from foreframe.priors.snail import SnailPrior
from foreframe.randomness import generator

THRESHOLD = 1e-3


def untrained(prior: AutoregressivePrior, seed: int) -> AutoregressivePrior:
    """Return a prior of the same settings and codes with weights drawn anew, on the CPU."""
    fresh = priors.density(
        priors.build(prior.settings, prior.codes, prior.conditions, prior.actions)
    )
    fresh.initialize(generator(seed, "receptive field", prior.settings.level))
    return fresh.eval()


def middle(grid: Grid) -> tuple[int, int, int]:
    """Return the position whose prediction is looked at."""
    return grid[0] // 2, grid[1] // 2, grid[2] // 2


def gradient(
    prior: AutoregressivePrior, codes_1THW: Tensor, latents: Mapping[str, Tensor]
) -> Tensor:
    """Return the largest magnitude over codes of d log p(middle) / d one-hot input: (T,H,W).

    Raises:
        UserError: the prior is of a kind whose inputs are no one-hot vectors.
    """
    if not isinstance(prior, SnailPrior):
        raise UserError(
            f"receptive fields are those of PixelSNAIL priors, not of {prior.settings.kind}."
        )
    one_hot = functional.one_hot(codes_1THW, prior.codebook_size).movedim(-1, 1)
    inputs = one_hot.to(prior.trunk.head.weight.dtype).requires_grad_()
    with torch.no_grad():
        condition = prior.condition(latents)
    # Not `look_up`, which has no gradient with respect to codes: the same sum as a convolution.
    start = prior.input(inputs)
    logits_KTHW = prior.trunk(start if condition is None else start + condition)[0]
    place = middle(prior.grid)
    log_prob = functional.log_softmax(logits_KTHW[(slice(None), *place)], dim=0)
    (found,) = torch.autograd.grad(log_prob[codes_1THW[(0, *place)]], inputs)
    return found[0].abs().amax(dim=0).detach().cpu()


def summarize(gradient_THW: Tensor) -> dict[str, Any]:
    """Return how many inputs are marked, how many count at all, and how far the marked reach."""
    grid: Any = tuple(gradient_THW.shape)
    place, values = middle(grid), gradient_THW.numpy()
    before = (place[0] * grid[1] + place[1]) * grid[2] + place[2]
    marked = values > THRESHOLD
    return {
        "grid": list(grid),
        "place": list(place),
        "earlier": before,
        "marked": int(marked.sum()),
        "reached": int((values > 0).sum()),
        "not_earlier": int((values.reshape(-1)[before:] > 0).sum()),
        "largest": float(values.max()),
        "steps_back": _farthest(marked, place, 0),
        "rows": _farthest(marked, place, 1),
        "columns": _farthest(marked, place, 2),
    }


def _farthest(marked_THW: NDArray[numpy.bool_], place: Grid, axis: int) -> int:
    steps = numpy.abs(numpy.nonzero(marked_THW)[axis] - place[axis])
    return int(steps.max(initial=0))
