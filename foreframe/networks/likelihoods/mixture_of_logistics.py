"""Probabilities of 8-bit colours: a discretised mixture of logistics (Salimans et al. 2017).

A value of [-1, 1] has the probability that a mixture gives to its bin, 2/255 wide; the first and
the last bin take the tails. Of colours, one component m speaks for red, green and blue, and the
location of a later colour moves with the values of the earlier ones,

    P(x) = sum_m pi_m prod_c P(x_c | location_mc, scale_mc)
    location_green = mean_green + tanh(k_0) red
    location_blue  = mean_blue + tanh(k_1) red + tanh(k_2) green

A network says, in this order, M logits and for each colour M means, M logs of scales and, of three
colours only, M of k_0, k_1 or k_2. Shapes: B rows, C colours (1 or 3), M components, P = 3 M or
10 M channels of a network's output, H rows and W columns of a frame.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 256
# Half of what lies between two grey levels, of [-1, 1].
HALF = 1 / (LEVELS - 1)
# A scale this small puts all on one level, one this large on the two ends; between these, floats
# of 32 bits and their gradients stay finite.
LOG_SCALES = (-7.0, 7.0)
# Between the two outermost levels at either end.
EDGE = 1 - HALF


@dataclass(frozen=True)
class _Mixture:
    """Logits (B,M,H,W); means, logs of scales and, of three colours, k before tanh (B,C,M,H,W)."""

    logits: Tensor
    means: Tensor
    log_scales: Tensor
    coefficients: Tensor | None

    @property
    def colours(self) -> int:
        return self.means.shape[1]

    def location(self, colour: int, earlier: list[Tensor]) -> Tensor:
        """Return (B,M,H,W) of a colour, given values of those before it that broadcast with it."""
        found = self.means[:, colour]
        for number, value in enumerate(earlier):
            assert self.coefficients is not None
            # k_0 belongs to green, k_1 and k_2 to blue.
            found = found + self.coefficients[:, colour - 1 + number].tanh() * value
        return found


def channels(colours: int, mixtures: int) -> int:
    """Return how many channels P a network's output has; `colours` is 1 or 3."""
    assert colours in (1, 3), colours
    return mixtures * (3 if colours == 1 else 10)


def draws(colours: int, mixtures: int) -> int:
    """Return how many Gumbel numbers the sample of a pixel takes."""
    return mixtures + 2 * colours


def log_prob(x_BCHW: Tensor, parameters_BPHW: Tensor, mixtures: int) -> Tensor:
    """Return log P (B,) of frames, in nats; their values are k/127.5 - 1, k = 0 ... 255."""
    mixture = _mixture(parameters_BPHW, mixtures)
    assert x_BCHW.shape[1] == mixture.colours, x_BCHW.shape
    values = [x_BCHW[:, colour, None] for colour in range(mixture.colours)]
    joint_BMHW = mixture.logits.log_softmax(dim=1)
    for colour, value in enumerate(values):
        distance = value - mixture.location(colour, values[:colour])
        joint_BMHW = joint_BMHW + _log_mass(value, distance, mixture.log_scales[:, colour])
    return joint_BMHW.logsumexp(dim=1).flatten(1).sum(dim=1)


def sample(parameters_BPHW: Tensor, mixtures: int, gumbel_BNHW: Tensor) -> Tensor:
    """Return frames (B,C,H,W) whose values are exactly those of 8 bits on [-1, 1].

    Args:
        parameters_BPHW: what the network says.
        mixtures: M.
        gumbel_BNHW: N = `draws` standard Gumbel numbers of each pixel: M choose the component
            (Gumbel-max), and the difference of two is a standard logistic number, for each colour.
    """
    mixture = _mixture(parameters_BPHW, mixtures)
    chosen_B1HW = (mixture.logits + gumbel_BNHW[:, :mixtures]).argmax(dim=1, keepdim=True)
    pairs = gumbel_BNHW[:, mixtures:].unflatten(1, (mixture.colours, 2))
    values: list[Tensor] = []
    for colour in range(mixture.colours):
        location = mixture.location(colour, values).gather(1, chosen_B1HW)
        scale = mixture.log_scales[:, colour].gather(1, chosen_B1HW).exp()
        logistic = (pairs[:, colour, :1] - pairs[:, colour, 1:]) * scale
        values.append(_on_grid(location + logistic))
    return torch.cat(values, dim=1)


def mean(parameters_BPHW: Tensor, mixtures: int) -> Tensor:
    """Return the mean frame (B,C,H,W) of the mixture on [-1, 1], not rounded to levels.

    It is the forecast of least squared error, as the mean of a Gaussian is; the likeliest
    component would be sharper, but jumps where two are as likely. The tails count as the ends do:
    E max(-1, min(1, x)) = 1 - s softplus((1 - l) / s) + s softplus((-1 - l) / s) for a logistic
    with location l and scale s. A later colour follows the means of the earlier ones.
    """
    mixture = _mixture(parameters_BPHW, mixtures)
    shares = mixture.logits.softmax(dim=1)
    means: list[Tensor] = []
    for colour in range(mixture.colours):
        location, scale = mixture.location(colour, means), mixture.log_scales[:, colour].exp()
        above = functional.softplus((1 - location) / scale)
        below = functional.softplus((-1 - location) / scale)
        means.append(1 - scale * (above - below))
    x_BCHW = torch.stack([(shares * each).sum(dim=1) for each in means], dim=1)
    return x_BCHW.clamp(-1, 1)  # what rounding may have added


def _mixture(parameters_BPHW: Tensor, mixtures: int) -> _Mixture:
    found = parameters_BPHW.shape[1]
    colours = {channels(count, mixtures): count for count in (1, 3)}.get(found)
    assert colours is not None, f"{found} channels are not those of {mixtures} components"
    logits, others = parameters_BPHW[:, :mixtures], parameters_BPHW[:, mixtures:]
    parts = others.unflatten(1, (colours, -1, mixtures))
    log_scales = parts[:, :, 1].clamp(*LOG_SCALES)
    return _Mixture(logits, parts[:, :, 0], log_scales, parts[:, :, 2] if colours == 3 else None)


def _log_mass(value: Tensor, distance: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log of the mass (B,M,H,W) of a value's bin, exactly, however small it is.

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), so that no two numbers that
    are nearly alike are subtracted. The first bin has no lower end, the last one no upper end.
    """
    precision = (-log_scale).exp()
    upper = functional.logsigmoid((distance + HALF) * precision)
    lower = functional.logsigmoid((HALF - distance) * precision)
    between = (-torch.expm1(-2 * HALF * precision)).log()
    first, last = value < -EDGE, value > EDGE
    inside = upper + lower + between
    return torch.where(first, upper, torch.where(last, lower, inside))


def _on_grid(value: Tensor) -> Tensor:
    span = LEVELS - 1
    levels = ((value + 1) * (span / 2)).round().clamp(0, span)
    # In the order of `data.scaling`, so that the same level is the same number.
    return levels / span * 2 - 1
