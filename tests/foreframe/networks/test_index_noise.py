"""Noise on indices: its distribution under every reading, and what happens at the borders."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from foreframe.networks.index_noise import IndexNoise
from foreframe.randomness import generator

MANY = 200_000
NO_NUMBERS: Any = None


def noise(sigma: float, **changes: Any) -> IndexNoise:
    known = {"sigma_is": "deviation", "gaussian": "rounded", "border": "clamp"}
    return IndexNoise(sigma=sigma, **{**known, **changes})


def shares(found: Tensor, codes: int) -> Tensor:
    return found.flatten().bincount(minlength=codes) / found.numel()


# P(n != 0) and P(|n| >= 2), worked out from the Gaussian's distribution by the four readings.
ROUNDED_DEVIATION = {0.2: (0.012, 0.0), 0.5: (0.317, 0.003), 1.0: (0.617, 0.134),
                     1.5: (0.739, 0.317), 1.8: (0.781, 0.405)}  # fmt: skip
ROUNDED_VARIANCE = {0.2: (0.264, 0.001), 0.5: (0.480, 0.034), 1.0: (0.617, 0.134),
                    1.5: (0.683, 0.221), 1.8: (0.709, 0.264)}  # fmt: skip
DENSITY_DEVIATION = {0.2: (0.000007, 0.0), 0.5: (0.213, 0.0005), 1.0: (0.601, 0.117),
                     1.5: (0.734, 0.308), 1.8: (0.778, 0.399)}  # fmt: skip
DENSITY_VARIANCE = {0.2: (0.141, 0.0001), 0.5: (0.436, 0.021), 1.0: (0.601, 0.117),
                    1.5: (0.674, 0.208), 1.8: (0.703, 0.252)}  # fmt: skip


@pytest.mark.parametrize(
    ("sigma_is", "gaussian", "sigma", "moved", "far"),
    [
        (sigma_is, gaussian, sigma, *of)
        for sigma_is, gaussian, found in (
            ("deviation", "rounded", ROUNDED_DEVIATION),
            ("variance", "rounded", ROUNDED_VARIANCE),
            ("deviation", "density", DENSITY_DEVIATION),
            ("variance", "density", DENSITY_VARIANCE),
        )
        for sigma, of in found.items()
    ],
)
def test_indices_move_as_often_as_their_gaussian_says(
    sigma_is: str, gaussian: str, sigma: float, moved: float, far: float
) -> None:
    chosen = noise(sigma, sigma_is=sigma_is, gaussian=gaussian)
    ids = torch.full((MANY,), 50)
    steps = chosen.move(ids, 101, generator(0, "noise")) - 50
    error = 4 * math.sqrt(0.25 / MANY)
    assert (steps != 0).double().mean().item() == pytest.approx(moved, abs=error + 0.0005)
    assert (steps.abs() >= 2).double().mean().item() == pytest.approx(far, abs=error + 0.0005)
    assert steps.double().mean().abs() < 4 * max(steps.double().std().item(), 0.1) / MANY**0.5


def test_neighbouring_places_and_levels_that_are_drawn_in_turn_move_apart() -> None:
    numbers, ids = generator(0, "noise"), torch.full((MANY,), 50)
    one, other = (noise(1.0).move(ids, 101, numbers).double() - 50 for _ in range(2))
    pairs = [(one, other), (one[:-1], one[1:])]
    for first, second in pairs:
        correlation = torch.corrcoef(torch.stack([first, second]))[0, 1].item()
        assert abs(correlation) < 4 / math.sqrt(MANY)


@pytest.mark.parametrize("gaussian", ["rounded", "density"])
def test_between_its_ends_the_distribution_is_whole_and_even(gaussian: str) -> None:
    below = noise(1.3, gaussian=gaussian).below()
    assert below[0] == 0 and below[-1] == 1
    share = below.diff()
    assert (share[1:-1] > 0).all()
    torch.testing.assert_close(share, share.flip(0))


def test_rounded_normal_numbers_are_what_it_draws() -> None:
    steps = noise(1.5).move(torch.full((MANY,), 50), 101, generator(0, "noise")) - 50
    wanted = (1.5 * generator(1, "normal").normal((MANY,))).round().long()
    both = [shares(each + 20, 41) for each in (steps, wanted)]
    assert (both[0] - both[1]).abs().max() < 0.005


def test_without_noise_nothing_is_drawn() -> None:
    ids = torch.arange(6)
    assert noise(0.0).move(ids, 6, NO_NUMBERS) is ids


@pytest.mark.parametrize("border", ["clamp", "reflect", "wrap", "redraw"])
@pytest.mark.parametrize("codes", [1, 2, 7])
def test_indices_stay_in_the_codebook(border: str, codes: int) -> None:
    ids = torch.arange(codes).repeat(500)
    moved = noise(9.0, border=border).move(ids, codes, generator(0, "noise"))
    assert moved.shape == ids.shape and moved.dtype == torch.int64
    assert set(moved.tolist()) == set(range(codes))


def test_at_the_ends_of_the_codebook() -> None:
    ids = torch.arange(8).repeat(MANY // 8)
    free = noise(2.0).move(ids + 100, 208, generator(0, "noise")) - 100
    clamped, reflected, wrapped = (
        noise(2.0, border=border).move(ids, 8, generator(0, "noise"))
        for border in ("clamp", "reflect", "wrap")
    )
    assert torch.equal(clamped, free.clamp(0, 7))
    assert torch.equal(wrapped, free.remainder(8))
    inside = (free >= 0) & (free <= 7)
    assert torch.equal(reflected[inside], free[inside])
    assert torch.equal(reflected[free == -2], torch.full_like(free[free == -2], 2))
    assert torch.equal(reflected[free == 9], torch.full_like(free[free == 9], 5))


def test_what_is_redrawn_is_what_was_not_beyond() -> None:
    ids = torch.full((MANY,), 1)
    free = noise(2.0).move(ids + 100, 208, generator(0, "free")) - 100
    kept = free[(free >= 0) & (free <= 7)]
    redrawn = noise(2.0, border="redraw").move(ids, 8, generator(0, "noise"))
    assert (shares(kept, 8) - shares(redrawn, 8)).abs().max() < 0.01


@pytest.mark.parametrize("sigma", [-0.1, math.inf, math.nan])
def test_a_width_that_is_none_is_refused(sigma: float) -> None:
    with pytest.raises(ValidationError, match="sigma"):
        noise(sigma)
