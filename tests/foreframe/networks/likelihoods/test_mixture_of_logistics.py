"""Probabilities add up, samples follow them, and both survive what a network may say."""

from typing import Literal

import pytest
import torch
from torch import Tensor

from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.data.views import View
from foreframe.networks.likelihoods import mixture_of_logistics as mixture
from foreframe.randomness import Draws, generator

MIXTURES = 3
GRID = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def parameters(colours: int, rows: int, seed: int = 0, spread: float = 1.0) -> Tensor:
    """Return random ones (rows,P,1,1), float64, whose scales are some grey levels."""
    numbers = generator(seed, "parameters", colours)
    count = mixture.channels(colours, MIXTURES)
    found = spread * numbers.normal((rows, count, 1, 1)).double()
    found[:, MIXTURES:].unflatten(1, (colours, -1, MIXTURES))[:, :, 1] -= 2.5
    return found


def probabilities(x_BC: Tensor, parameters_BP11: Tensor) -> Tensor:
    raw = parameters_BP11.expand(len(x_BC), -1, -1, -1)
    return mixture.log_prob(x_BC[:, :, None, None], raw, MIXTURES).exp()


@pytest.mark.parametrize("seed", range(4))
def test_256_grey_levels_have_probability_1_together(seed: int) -> None:
    # Some means lie far outside: what they say then falls on the ends.
    raw = parameters(1, 1, seed, spread=1.0 + seed)
    assert probabilities(GRID[:, None], raw).sum().item() == pytest.approx(1, abs=1e-12)
    single = probabilities(GRID[:, None].float(), raw.float()).sum().item()
    assert single == pytest.approx(1, abs=1e-5)


def test_green_and_blue_add_up_to_the_probability_of_red() -> None:
    raw = parameters(3, 1)
    red_alone = raw[:, : 3 * MIXTURES]  # logits, means and scales: grey values that are the reds
    green, blue = torch.meshgrid(GRID, GRID, indexing="ij")
    for red in (GRID[0], GRID[100], GRID[255]):
        colours = torch.stack([red.expand(256, 256), green, blue], dim=-1).flatten(0, 1)
        wanted = probabilities(red.view(1, 1), red_alone).item()
        assert probabilities(colours, raw).sum().item() == pytest.approx(wanted, rel=1e-9)


def test_later_colours_move_with_the_earlier_ones() -> None:
    raw = parameters(3, 1)
    colours = GRID[[40, 90, 200]][None]
    red, green, _ = colours[0]
    moved = raw.clone()
    parts = moved[:, MIXTURES:].unflatten(1, (3, 3, MIXTURES))
    k = parts[:, :, 2].tanh()
    parts[:, 1, 0] += k[:, 0] * red
    parts[:, 2, 0] += k[:, 1] * red + k[:, 2] * green
    parts[:, :, 2] = 0
    # In logs, for these colours are not probable.
    found, wanted = (probabilities(colours, each).log() for each in (raw, moved))
    torch.testing.assert_close(found, wanted)


def test_it_is_the_textbook_formula() -> None:
    raw = parameters(1, 1)
    logits, means, log_scales = raw.view(3, MIXTURES, 1)
    upper = ((GRID + 1 / 255 - means) / log_scales.exp()).sigmoid()
    lower = ((GRID - 1 / 255 - means) / log_scales.exp()).sigmoid()
    lower[:, 0], upper[:, -1] = 0, 1
    wanted = (logits.softmax(dim=0) * (upper - lower)).sum(dim=0)
    torch.testing.assert_close(probabilities(GRID[:, None], raw), wanted)


@pytest.mark.parametrize("colours", [1, 3])
def test_what_is_improbable_stays_finite_and_has_a_gradient(colours: int) -> None:
    raw = parameters(colours, 256, spread=30.0).float().requires_grad_()
    x = GRID.float()[:, None, None, None].expand(-1, colours, -1, -1)
    found = mixture.log_prob(x, raw, MIXTURES)
    found.sum().backward()
    assert found.isfinite().all()
    assert found.min() < -1000
    assert raw.grad is not None
    assert raw.grad.isfinite().all()
    exact = mixture.log_prob(x.double(), raw.double(), MIXTURES)
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("bound", mixture.LOG_SCALES)
def test_scales_stay_between_bounds(bound: float) -> None:
    raw, beyond = parameters(1, 1), parameters(1, 1)
    raw[:, 2 * MIXTURES :] = bound
    beyond[:, 2 * MIXTURES :] = 5 * bound
    assert torch.equal(probabilities(GRID[:, None], raw), probabilities(GRID[:, None], beyond))


def drawn(colours: int, raw: Tensor, count: int) -> Tensor:
    """Return samples (count,C) of one pixel's distribution."""
    noise = Draws.first(0, [0]).gumbel("pixel", (), (mixture.draws(colours, MIXTURES), 1, count))
    wide = raw.float().expand(-1, -1, 1, count)
    return mixture.sample(wide, MIXTURES, noise)[0, :, 0].T


def test_samples_of_grey_follow_their_probabilities() -> None:
    raw, count = parameters(1, 1), 200_000
    expected = count * probabilities(GRID[:, None], raw)
    levels = ((drawn(1, raw, count)[:, 0] + 1) * 127.5).round().long()
    found = torch.bincount(levels, minlength=256).double()
    common = expected >= 5
    assert (~common).sum() < 128
    chi_square = ((found - expected).square() / expected)[common].sum().item()
    degrees = int(common.sum())
    # Mean `degrees`, variance twice that: within four deviations.
    assert abs(chi_square - degrees) < 4 * (2 * degrees) ** 0.5


@pytest.mark.parametrize("colour", [1, 2])
def test_samples_of_a_later_colour_follow_it_given_the_earlier_ones(colour: int) -> None:
    raw, count = parameters(3, 1), 2000
    parts = raw[:, MIXTURES:].unflatten(1, (3, 3, MIXTURES))
    if colour == 1:  # blue is black, so that it adds nothing to what is known of green
        parts[:, 2] = 0
        parts[:, 2, 0] = -9
    samples = drawn(3, raw, count).double()
    all_values = samples[:, None].repeat(1, 256, 1)
    all_values[:, :, colour] = GRID
    joint = probabilities(all_values.flatten(0, 1), raw).unflatten(0, (count, 256))
    shares = joint / joint.sum(dim=1, keepdim=True)
    # A number drawn evenly from its own step of the distribution function is uniform.
    level = ((samples[:, colour, None] + 1) * 127.5).round().long()
    below = shares.cumsum(dim=1).gather(1, level)
    place = below - shares.gather(1, level) * generator(0, "steps").uniform((count, 1)).double()
    found = torch.histc(place, bins=20, min=0, max=1)
    chi_square = ((found - count / 20).square() / (count / 20)).sum().item()
    assert chi_square < 19 + 4 * 38**0.5


@pytest.mark.parametrize("colours", [1, 3])
def test_samples_are_what_a_view_shows_of_8_bits(colours: int) -> None:
    kind: Literal["grey", "colour"] = "grey" if colours == 1 else "colour"
    view = View(
        of="frames",
        frames=1,
        train_stride=1,
        evaluation_stride=1,
        channels=kind,
        scaling="symmetric",
        bits=8,
        dequantise=False,
    )
    scaling = Scaling(view, Normalizer((0.5,) * 3, (0.2,) * 3))
    samples = drawn(colours, parameters(colours, 1), 500)
    x_BCTHW = samples.T[None, :, None, None]
    assert torch.equal(scaling.inward(scaling.outward(x_BCTHW), None), x_BCTHW)
    assert len(samples.unique()) > 50


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_is_that_of_the_probabilities(seed: int) -> None:
    raw = parameters(1, 1, seed, spread=2.0)
    wanted = (probabilities(GRID[:, None], raw) * GRID).sum().item()
    # What is known in closed form is the mean before it is rounded to levels.
    assert mixture.mean(raw, MIXTURES).item() == pytest.approx(wanted, abs=1 / 255)
    assert abs(mixture.mean(50 * raw, MIXTURES).item()) <= 1


def test_the_mean_of_colours_is_that_of_samples() -> None:
    raw = parameters(3, 1)
    raw[:, MIXTURES:].unflatten(1, (3, 3, MIXTURES))[:, :, 1] -= 2  # so that ends take little
    raw[:, MIXTURES:].unflatten(1, (3, 3, MIXTURES))[:, :, 0] *= 0.2
    found = mixture.mean(raw, MIXTURES)[0, :, 0, 0]
    wanted = drawn(3, raw, 50_000).double().mean(dim=0)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.01)


def test_a_wrong_number_of_channels_is_noticed() -> None:
    with pytest.raises(AssertionError, match="7 channels"):
        mixture.mean(torch.zeros(1, 7, 1, 1), MIXTURES)
