"""Laws of the whole flow: it can be undone, its density is that of its samples."""

import itertools
import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from foreframe.networks.flows import Glow, Memory
from foreframe.networks.gaussian import Gaussian, total
from foreframe.randomness import generator
from tests.foreframe.networks.flows.examples import (
    base,
    glow,
    maps,
    noise,
    picture,
    scrambled,
    trained,
)
from tests.foreframe.predictors import moving

LEVELS, COLOURS = [1, 2, 3, 4, 5], [1, 3]


@pytest.mark.parametrize(
    ("levels", "colours", "conditional"), list(itertools.product(LEVELS, COLOURS, [False, True]))
)
def test_latents_and_pictures_are_each_others_inverse(
    levels: int, colours: int, conditional: bool
) -> None:
    channels = tuple(range(2, 2 + levels)) if conditional else ()
    side = max(16, 2**levels)
    made = glow((colours, side, side), levels, steps=2, conditions=channels)
    x, conditions = picture(made), maps(made, channels)
    with torch.no_grad():
        latents = made.latents(x, conditions)
        assert [latent.shape[1:] for latent in latents] == made.noise_shapes
        torch.testing.assert_close(made.inverse(latents, conditions), x, atol=1e-4, rtol=1e-4)
        again = made.latents(made.inverse(noise(made), conditions), conditions)
    for found, wanted in zip(again, noise(made), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("levels", "colours", "steps"),
    [(5, 1, 1), (5, 1, 10), (4, 3, 10), (5, 3, 2), (3, 3, 2), (3, 1, 2)],
)
def test_a_flow_as_deep_as_the_thesis_s_can_be_undone_once_it_has_learned(
    levels: int, colours: int, steps: int
) -> None:
    channels, rows = (2,) * levels, 16
    made = glow((colours, 32, 32), levels, steps, channels)
    moved = moving.clips(4, rows // 4, 32).transpose(1, 2).flatten(0, 1).expand(-1, colours, -1, -1)
    x = moved + 0.2 * generator(2, "picture").normal(moved.shape)
    conditions, own, noises = maps(made, channels, rows), base(made, rows), noise(made, rows)
    costs = trained(made, x, conditions, own)
    assert costs[-1] < costs[0] - 100  # nats of a picture
    with torch.no_grad():
        back = made.inverse(made.latents(x, conditions), conditions)
        *_, last = made.latents(made.sample(noises, conditions, own, 1.0), conditions)
    torch.testing.assert_close(back, x, atol=1e-4, rtol=1e-4)
    wanted = own.mean + own.deviation * noises[-1]
    torch.testing.assert_close(last, wanted, atol=1e-4, rtol=1e-4)


def test_latents_have_the_thesis_s_sizes() -> None:
    with torch.device("meta"):
        made = Glow((3, 64, 64), 4, 1, 8, (), "stored")
        grey = Glow((1, 64, 64), 5, 1, 8, (), "stored")
    assert made.noise_shapes == [(6, 32, 32), (12, 16, 16), (24, 8, 8), (96, 4, 4)]
    assert grey.noise_shapes == [(2, 32, 32), (4, 16, 16), (8, 8, 8), (16, 4, 4), (64, 2, 2)]
    assert [made.base_shape, grey.base_shape] == [(96, 4, 4), (64, 2, 2)]


@pytest.mark.parametrize("levels", [1, 2])
def test_the_density_is_that_of_what_is_sampled(levels: int) -> None:
    """With x = sample(e), log p(x) = log N(e) - log|det dx/de|, whatever happens inside."""
    channels = (2, 3)[:levels]
    made = glow((1, 4, 4), levels, conditions=channels).double()
    conditions = [value.double() for value in maps(made, channels, 1)]
    own = base(made, 1)
    own = Gaussian(own.mean.double(), own.deviation.double())
    noises = [value.double() for value in noise(made, 1)]

    def sampled(flat: Tensor) -> Tensor:
        parts = flat.split([value.numel() for value in noises])
        shaped = [part.view(like.shape) for part, like in zip(parts, noises, strict=True)]
        return made.sample(shaped, conditions, own, 1.0).flatten()

    flat = torch.cat([value.flatten() for value in noises])
    jacobian = torch.autograd.functional.jacobian(sampled, flat)
    wanted = Gaussian.standard(flat).log_prob(flat).sum() - torch.linalg.slogdet(jacobian)[1]
    x = sampled(flat).view(1, 1, 4, 4)
    torch.testing.assert_close(made.log_prob(x, conditions, own)[0], wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, 0.6])
def test_the_temperature_scales_every_latent_about_its_mean(temperature: float) -> None:
    made, channels = glow((3, 8, 8), 3, conditions=(2, 2, 2)), (2, 2, 2)
    conditions, own, noises = maps(made, channels), base(made), noise(made)
    with torch.no_grad():
        x = made.sample(noises, conditions, own, temperature)
        *aside, last = made.latents(x, conditions)
        _, kept, _ = made._analysed(x, conditions)
    torch.testing.assert_close(
        (last - own.mean) / own.deviation, temperature * noises[-1], atol=1e-3, rtol=1e-3
    )
    for level, split in enumerate(made.splits):
        prior = split(kept[level], conditions[level])
        found = (aside[level] - prior.mean) / prior.deviation
        torch.testing.assert_close(found, temperature * noises[level], atol=1e-3, rtol=1e-3)


def test_at_its_start_a_flow_turns_channels_and_nothing_else() -> None:
    made = Glow((1, 4, 4), 1, 3, 6, (2,), "stored")
    scrambled(made, 0.0)
    x, conditions, own = picture(made), maps(made, (2,)), base(made)
    (latent,) = made.latents(x, conditions)
    torch.testing.assert_close(total(latent.square()), total(x.square()))
    torch.testing.assert_close(
        made.log_prob(x, conditions, own), total(own.log_prob(latent)), atol=1e-4, rtol=1e-5
    )


def test_rows_are_independent_and_each_sees_its_condition_at_every_level() -> None:
    made, channels = glow((1, 8, 8), 3, conditions=(2, 3, 4)), (2, 3, 4)
    x, conditions, own = picture(made, 3), maps(made, channels, 3), base(made, 3)
    before = made.log_prob(x, conditions, own)
    for level in range(3):
        changed = [value.clone() for value in conditions]
        changed[level][1] += 1
        found = made.log_prob(x, changed, own)
        torch.testing.assert_close(found[[0, 2]], before[[0, 2]])
        assert (found - before)[1].abs() > 1e-3
    changed_x = x.clone()
    changed_x[1] += 1
    torch.testing.assert_close(made.log_prob(changed_x, conditions, own)[[0, 2]], before[[0, 2]])


def test_every_parameter_learns_whatever_is_kept() -> None:
    channels, values, found = (2, 3), [], []
    for memory in get_args(Memory):
        made = glow((3, 8, 8), 2, 3, channels, memory)
        conditions = [value.requires_grad_() for value in maps(made, channels)]
        values.append(made.log_prob(picture(made), conditions, base(made)))
        found.append(torch.autograd.grad(values[-1].sum(), [*conditions, *made.parameters()]))
    assert all(torch.equal(value, values[0]) for value in values)
    assert all(gradient.abs().max() > 0 for gradient in found[0])
    for other in found[1:]:
        for one, wanted in zip(other, found[0], strict=True):
            assert (one - wanted).norm() / wanted.norm() < 1e-5


def test_it_computes_in_float32_whatever_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made, channels = glow((3, 8, 8), 2, 2, (2, 3), "inverted"), (2, 3)
    x, conditions, own = picture(made), maps(made, channels), base(made)
    before = made.log_prob(x, conditions, own)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    seen = []
    made.splits[0].register_forward_pre_hook(
        lambda *_: seen.append(torch.backends.cudnn.allow_tf32)
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(made.log_prob(x, conditions, own), before)
        back = made.inverse(made.latents(x, conditions), conditions)
        assert torch.is_autocast_enabled("cpu")
    torch.testing.assert_close(back, x, atol=1e-4, rtol=1e-4)
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32


def test_features_of_the_extractor_at_every_level_cost_what_the_thesis_prints() -> None:
    """Glissov and Konradsen 2021, table 9.1: 33 million without them, 58 with them; L 5, K 10."""
    plain, features = (16, 32, 64, 128, 128), (32, 64, 128, 256, 512)
    both = tuple(one + two for one, two in zip(plain, features, strict=True))
    with torch.device("meta"):
        made = [Glow((1, 64, 64), 5, 10, 256, channels, "stored") for channels in (plain, both)]
    counts = [sum(weight.numel() for weight in one.parameters()) for one in made]
    assert round((counts[1] - counts[0]) / 1e6) == 58 - 33


def test_many_samples_have_the_density_that_they_are_given() -> None:
    """The mean of p(x) / q(x) over samples of q is 1: here q is the flow at another base."""
    made, count = glow((1, 2, 2), 1, 2), 20_000
    noises = [generator(4, "noise").normal((count, *made.base_shape))]
    mean = torch.zeros(count, *made.base_shape)
    wide, narrow = (Gaussian(mean, torch.full_like(mean, scale)) for scale in (1.0, 0.8))
    with torch.no_grad():
        x = made.sample(noises, (), wide, 1.0)
        ratio = (made.log_prob(x, (), narrow) - made.log_prob(x, (), wide)).exp()
    assert math.isclose(float(ratio.mean()), 1.0, abs_tol=0.03)
