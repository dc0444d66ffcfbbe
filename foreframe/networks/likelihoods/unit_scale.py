"""Distributions of values in 0 to 1 whose mean is sigmoid(raw) and whose scale is fixed.

To maximise their likelihood is to minimise absolute errors (Laplace), half the squared errors
(Gaussian), both of scale 1, or cross-entropy (Bernoulli). `error` is -log p less `CONSTANTS`, which
no network can change; published bounds count the error alone.
"""

import math
from typing import Literal

from torch import Tensor
from torch.nn import functional

from foreframe.networks.gaussian import LOG_TWO_PI

Likelihood = Literal["laplace", "gaussian", "bernoulli"]

# Of each value, in nats.
CONSTANTS: dict[Likelihood, float] = {
    "laplace": math.log(2),
    "gaussian": 0.5 * LOG_TWO_PI,
    "bernoulli": 0.0,
}


def error(likelihood: Likelihood, x: Tensor, raw: Tensor) -> Tensor:
    """Return -log p less its constant, in nats, of each value of x; all of one shape."""
    if likelihood == "laplace":
        return (x - raw.sigmoid()).abs()
    if likelihood == "gaussian":
        return 0.5 * (x - raw.sigmoid()).square()
    return functional.binary_cross_entropy_with_logits(raw, x, reduction="none")
