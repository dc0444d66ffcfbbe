"""Bits per dimension: closed forms of Gaussian models, order of bounds, kinds kept apart."""

import math

import pytest
import torch

from foreframe.metrics.bits_per_dimension import (
    Kind,
    Likelihood,
    clip_bits,
    importance_weighted_nats,
    likelihood,
)

CLIPS = 2000
NOISE = 0.5  # standard deviation of x given z, where z ~ N(0, 1) and x | z ~ N(z, NOISE^2)


def normal_nats(x: torch.Tensor, mean: torch.Tensor | float, std: float) -> torch.Tensor:
    return 0.5 * ((x - mean) / std) ** 2 + math.log(std) + 0.5 * math.log(2 * math.pi)


def log_weights(samples: int, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log weights (samples, CLIPS) and the exact nats of a linear Gaussian latent model.

    The proposal is the posterior with its standard deviation times `spread`.
    """
    generator = torch.Generator().manual_seed(samples)
    z, e, draws = (
        torch.randn(*shape, CLIPS, dtype=torch.float64, generator=generator)
        for shape in ((), (), (samples,))
    )
    x = z + NOISE * e
    mean, std = x / (1 + NOISE**2), spread * NOISE / math.sqrt(1 + NOISE**2)
    latent = mean + std * draws
    joint = normal_nats(latent, 0.0, 1.0) + normal_nats(x, latent, NOISE)
    return normal_nats(latent, mean, std) - joint, normal_nats(x, 0.0, math.sqrt(1 + NOISE**2))


def test_a_uniform_model_of_bytes_has_eight_bits() -> None:
    as_probability = torch.full((3,), 12 * math.log(256))
    as_density = torch.zeros(3)
    assert clip_bits(as_probability, 12, 1).tolist() == pytest.approx([8] * 3, rel=1e-6)
    assert clip_bits(as_density, 12, 1 / 256).tolist() == pytest.approx([8] * 3)


def test_units_of_the_density_do_not_matter() -> None:
    x = torch.rand(5, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    std = 0.2
    unit = normal_nats(x, 0.5, std).sum(dim=1)
    standardised = normal_nats((x - 0.5) / std, 0.0, 1.0).sum(dim=1)
    torch.testing.assert_close(
        clip_bits(unit, 30, 1 / 256), clip_bits(standardised, 30, 1 / (256 * std))
    )


def test_a_gaussian_model_has_the_entropy_of_its_formula() -> None:
    std, dimensions = 20.0, 64
    generator = torch.Generator().manual_seed(0)
    grey = (128 + std * torch.randn(CLIPS, dimensions, generator=generator)).round().double()
    noise = torch.rand(grey.shape, dtype=torch.float64, generator=generator)
    nats = normal_nats(grey + noise, 128.5, std).sum(dim=1)
    found = likelihood(clip_bits(nats, dimensions, 1.0), "exact", 0)
    assert found.bits == pytest.approx(0.5 * math.log2(2 * math.pi * math.e * std**2), abs=5e-3)


def test_more_samples_tighten_the_bound_towards_the_exact_value() -> None:
    means = []
    for samples in (1, 4, 16, 256):
        weights, exact = log_weights(samples, 1.5)
        # Clips vary more than the gaps do, so each clip's own gap is averaged.
        means.append(float((importance_weighted_nats(weights) - exact).mean()))
    assert means[0] > 2 * means[1] > 0
    assert means[1] > 2 * means[2] > 0
    assert abs(means[3]) < 0.005


def test_one_sample_is_the_elbo_of_its_formula() -> None:
    spread = 1.5
    weights, exact = log_weights(1, spread)
    # KL(q || posterior) of two normal distributions with one mean.
    gap = 0.5 * (spread**2 - 1) - math.log(spread)
    found = float((importance_weighted_nats(weights) - exact).mean())
    assert found == pytest.approx(gap, abs=0.06)


@pytest.mark.parametrize("samples", [1, 7])
def test_the_exact_posterior_leaves_no_gap(samples: int) -> None:
    weights, exact = log_weights(samples, 1.0)
    torch.testing.assert_close(importance_weighted_nats(weights), exact)


def test_the_mean_of_weights_does_not_overflow() -> None:
    weights = torch.tensor([[-20000.0], [-20001.0]])
    expected = 20000 - math.log((1 + math.exp(-1)) / 2)
    assert importance_weighted_nats(weights).tolist() == pytest.approx([expected], rel=1e-12)


def test_one_kind_compares_with_itself() -> None:
    first, second = Likelihood(2.0, "elbo", 1), Likelihood(2.5, "elbo", 10)
    assert first.difference(second) == -0.5


@pytest.mark.parametrize(
    "other",
    [
        Likelihood(3.0, "exact", 0),
        Likelihood(3.0, "elbo", 8),
        Likelihood(3.0, "importance_weighted", 16),
    ],
)
def test_different_kinds_are_not_compared(other: Likelihood) -> None:
    bound = Likelihood(3.0, "importance_weighted", 8)
    for first, second in ((bound, other), (other, bound)):
        with pytest.raises(ValueError, match="cannot be compared"):
            first.difference(second)


@pytest.mark.parametrize(
    ("bits", "kind", "samples", "message"),
    [
        (torch.ones(2), "exact", 5, "do not fit the kind"),
        (torch.ones(2), "elbo", 0, "do not fit the kind"),
        (torch.ones(2), "importance_weighted", -1, "do not fit the kind"),
        (torch.ones(0), "exact", 0, "one clip or more"),
        (torch.tensor([float("nan")]), "exact", 0, "hold NaN"),
        (-torch.ones(2), "exact", 0, "width of one grey level"),
    ],
)
def test_what_is_no_likelihood_is_refused(
    bits: torch.Tensor, kind: Kind, samples: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        likelihood(bits, kind, samples)


@pytest.mark.parametrize(("dimensions", "width"), [(0, 1.0), (3, 0.0), (3, math.inf)])
def test_no_dimension_and_no_width_are_refused(dimensions: int, width: float) -> None:
    with pytest.raises(ValueError, match="define no bits"):
        clip_bits(torch.ones(2), dimensions, width)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0)])
def test_what_are_no_weights_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="log weights must be"):
        importance_weighted_nats(torch.zeros(shape))
