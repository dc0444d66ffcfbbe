"""The hierarchical VRNN: one step against all steps, who hears whom, and what is learned."""

from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.config.training import Ramp
from foreframe.errors import UserError
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.likelihoods import unit_scale
from foreframe.networks.noise import Drawn, Fresh, Noise
from foreframe.predictors import Context
from foreframe.predictors.hierarchical_vrnn import HierarchicalVRNN
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import Draws, generator
from foreframe.training.objective import Moment
from tests.foreframe.predictors.hierarchical import (
    CONTEXT,
    FRAMES,
    LADDER,
    ROWS,
    model,
    settings,
    view,
    woken,
)

SAMPLED = LatentOptions(latents="sample", temperature=1.0, frames="mean")
MEAN = LatentOptions(latents="mean", temperature=1.0, frames="mean")


def clips(count: int = 2, frames: int = FRAMES, channels: int = 3) -> Tensor:
    return generator(0, "clips").uniform((count, channels, frames, ROWS, ROWS))


def fresh(count: int = 2) -> Noise:
    return Fresh(generator(0, "noise"), count, torch.device("cpu"))


SMALL_LADDER: dict[str, Any] = LADDER | {"latents": ({"shrink": "whole", "channels": 3},)}
KINDS: list[dict[str, Any]] = [{}, {"dense": False}, SMALL_LADDER | {"decoder_cells": 2}]


class Forced:
    """Latents that are said beforehand; keeps the distributions that it is shown."""

    def __init__(self, of: HierarchicalVRNN, count: int = 2, steps: int = FRAMES - CONTEXT) -> None:
        numbers = generator(0, "latents")
        self.time = slice(None)
        self.seen: list[tuple[int, Gaussian]] = []
        self.latents = {
            size: numbers.normal((count, steps, *shape))
            for size, shape in of.network.latent_shapes.items()
        }

    def __call__(self, size: int, distribution: Gaussian) -> Tensor:
        self.seen.append((size, distribution))
        return self.latents[size][:, self.time]


@pytest.mark.parametrize("changes", KINDS)
@torch.no_grad()
def test_frame_by_frame_is_the_same_as_all_at_once(changes: dict[str, Any]) -> None:
    network = woken(**changes).network
    latents = Forced(woken(**changes))
    state, frames = network.begin(clips(frames=CONTEXT)), []
    for step in range(FRAMES - CONTEXT):
        latents.time = slice(step, step + 1)
        raw_BCHW, state = network.step(state, latents)
        frames.append(raw_BCHW.sigmoid())
    one_by_one, latents.seen, latents.time = latents.seen, [], slice(None)
    made_BCTHW = torch.cat([clips(frames=CONTEXT), torch.stack(frames, dim=2)], dim=2)
    scored = network.score(made_BCTHW, latents)
    near(scored.raw.sigmoid(), torch.stack(frames, dim=1))
    for size, prior in scored.prior.items():
        steps = [found for name, found in one_by_one if name == size]
        mean = torch.cat([step.mean for step in steps], dim=1)
        deviation = torch.cat([step.deviation for step in steps], dim=1)
        near(prior.mean, mean)
        near(prior.deviation, deviation)


def near(one: Tensor, other: Tensor) -> None:
    # Not equal: the last bits of a convolution depend on how many rows it has.
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def steps_changed(one: Tensor, other: Tensor) -> list[bool]:
    """Return, of each step of (B,S,...), whether it differs by more than rounding."""
    return ((one - other).abs().transpose(0, 1).flatten(1).amax(dim=1) > 1e-6).tolist()


@pytest.mark.parametrize("changes", KINDS)
@torch.no_grad()
def test_a_frame_is_known_to_its_posterior_and_to_what_comes_after_it(
    changes: dict[str, Any],
) -> None:
    found, x_BCTHW = woken(**changes), clips()
    other = x_BCTHW.clone()
    other[:, :, CONTEXT + 1] = 1 - other[:, :, CONTEXT + 1]
    one, two = (found.network.score(x, Forced(found)) for x in (x_BCTHW, other))
    for size in found.network.latent_shapes:
        changed = steps_changed(one.posterior[size].mean, two.posterior[size].mean)
        assert changed == [False, True, True]
        assert steps_changed(one.prior[size].mean, two.prior[size].mean) == [False, False, True]
    assert steps_changed(one.raw, two.raw) == [False, False, True]


@pytest.mark.parametrize("dense", [True, False])
@torch.no_grad()
def test_levels_hear_those_above_and_only_dense_ones_hear_all(dense: bool) -> None:
    found = woken(dense=dense)
    top, middle, bottom = found.network.latent_shapes
    plain, moved = Forced(found), Forced(found)
    moved.latents[top][:, 1] += 1
    one, two = (found.network.score(clips(), latents) for latents in (plain, moved))
    for name in ("prior", "posterior"):
        before, after = getattr(one, name), getattr(two, name)
        hears = {size: steps_changed(before[size].mean, after[size].mean) for size in before}
        assert hears[top] == [False] * 3
        assert hears[middle] == [False, True, False]
        assert hears[bottom] == [False, dense, False]


@pytest.mark.parametrize("dense", [True, False])
@torch.no_grad()
def test_every_level_reaches_the_decoder_which_remembers_it(dense: bool) -> None:
    found = woken(dense=dense)
    plain = found.network.score(clips(), Forced(found)).raw
    for size in found.network.latent_shapes:
        moved = Forced(found)
        moved.latents[size][:, 1] += 1
        raw = found.network.score(clips(), moved).raw
        assert steps_changed(plain, raw) == [False, True, True]


def test_gradients_pass_from_the_top_latent_as_drawn_to_those_below_and_the_frame() -> None:
    found = woken()
    scored = found.score(clips(), CONTEXT, fresh())
    top, middle, bottom = scored.latents.values()
    for reached in (middle, bottom, scored.raw):
        (gradient,) = torch.autograd.grad(reached.square().sum(), top, retain_graph=True)
        assert (gradient.abs().flatten(2).amax(dim=2) > 0).all()


@torch.no_grad()
def test_a_posterior_with_the_weights_of_the_prior_costs_nothing_where_nothing_moves() -> None:
    found, x_BCTHW = woken(), clips()
    found.network.posterior.load_state_dict(found.network.prior.state_dict())
    still_BCTHW = x_BCTHW[:, :, :1].expand_as(x_BCTHW)
    for name, kl_BS in found.terms(still_BCTHW, CONTEXT, fresh()).kl.items():
        assert kl_BS.max() < 1e-6, name
    for name, kl_BS in found.terms(x_BCTHW, CONTEXT, fresh()).kl.items():
        assert kl_BS.min() > 1e-3, name


@torch.no_grad()
def test_every_distribution_begins_near_0_with_variance_log_2() -> None:
    found = model()
    found.initialize(generator(0, "weights"))
    scored = found.score(clips(), CONTEXT, fresh())
    for distribution in [*scored.prior.values(), *scored.posterior.values()]:
        assert 0 < distribution.mean.abs().max() < 0.01
        variance = distribution.deviation.square()
        torch.testing.assert_close(variance, torch.full_like(variance, 0.6931), rtol=0, atol=5e-3)


@torch.no_grad()
def test_levels_and_steps_draw_numbers_of_their_own() -> None:
    found = woken()
    noise = Drawn(Draws.each(0, [10], [0]), "score", torch.device("cpu"))
    scored = found.score(clips(1), CONTEXT, noise)
    first = []
    for size, latent in scored.latents.items():
        posterior = scored.posterior[size]
        first += ((latent - posterior.mean) / posterior.deviation)[0, :, 0, 0, 0].tolist()
    assert len({round(number, 3) for number in first}) == 3 * (FRAMES - CONTEXT)


@torch.no_grad()
def test_the_log_ratio_is_on_average_the_divergence() -> None:
    found, count = woken(), 200
    terms = found.terms(clips(1).expand(count, -1, -1, -1, -1), CONTEXT, fresh(count))
    assert list(terms.kl) == ["latent_1", "latent_4", "latent_8"]
    assert all((kl >= 0).all() for kl in terms.kl.values())
    assert terms.log_ratio is not None
    gap_B = (terms.log_ratio + torch.stack(list(terms.kl.values())).sum(dim=0)).sum(dim=1)
    assert gap_B.mean().abs() < 4 * gap_B.std() / count**0.5


@torch.no_grad()
def test_a_true_frame_costs_its_error_and_a_constant() -> None:
    found, x_BCTHW = woken(), clips()
    terms = found.terms(x_BCTHW, CONTEXT, fresh())
    raw = found.score(x_BCTHW, CONTEXT, fresh()).raw
    distribution = torch.distributions.Laplace(raw.sigmoid(), 1.0)
    log_p = distribution.log_prob(x_BCTHW[:, :, CONTEXT:].transpose(1, 2)).flatten(2).sum(dim=2)
    torch.testing.assert_close(terms.nll, -log_p)
    constant = unit_scale.CONSTANTS["laplace"] * 3 * ROWS * ROWS
    torch.testing.assert_close(terms.nll - terms.about["error"], torch.full((2, 3), constant))


def gradients(found: HierarchicalVRNN, weight: float) -> dict[str, float]:
    ramp = Ramp(first=weight, last=weight, begin=0, steps=1, of="run")
    found.settings = settings(kl_weight=ramp)
    found.train()
    found.loss({"x": clips()}, Moment(0, 1, 0, 0, 1, generator(0, "step")))["loss"].backward()
    return {
        name: 0.0 if parameter.grad is None else parameter.grad.abs().max().item()
        for name, parameter in found.named_parameters()
    }


@pytest.mark.parametrize("changes", KINDS)
def test_every_weight_learns(changes: dict[str, Any]) -> None:
    assert [name for name, size in gradients(woken(**changes), 1.0).items() if size == 0] == []


def test_without_weight_on_the_divergence_the_prior_learns_nothing() -> None:
    found = gradients(woken(), 0.0)
    still = {name.split(".")[1] for name, size in found.items() if size == 0}
    moved = {name.split(".")[1] for name, size in found.items() if size != 0}
    assert still == {"prior"}
    assert moved == {"encoder", "posterior", "decoder"}


def context(given: int) -> Context:
    shape = (2, 4, ROWS, ROWS, 3)
    frames = generator(0, "context").integers(0, 256, shape).to(torch.uint8)
    return Context(frames[:, 4 - given :], [10, 11])


def test_futures_begin_from_the_last_context_frames_and_are_their_own() -> None:
    found = woken()
    draws = Draws.each(0, [10, 11], range(3))
    together = found.predict(context(2), 3, SAMPLED, draws).frames
    assert together.shape == (6, 3, ROWS, ROWS, 3)
    assert torch.equal(found.predict(context(2), 3, SAMPLED, draws.of([4])).frames, together[4:5])
    assert not torch.equal(together[0], together[1])
    means = found.predict(context(2), 3, MEAN, draws).frames
    assert torch.equal(means[0], means[1])
    assert torch.equal(found.predict(context(4), 3, MEAN, draws).frames, means)


def test_a_future_of_28_frames_leaves_its_context_as_it_was() -> None:
    # Castrejon 2022, figures 4.6 and 4.7: 28 frames after 2.
    found, given, draws = woken(), context(2), Draws.each(0, [10, 11], range(2))
    before = given.frames.clone()
    long = found.predict(given, 28, SAMPLED, draws).frames
    assert long.shape == (4, 28, ROWS, ROWS, 3)
    assert torch.equal(given.frames, before)
    assert torch.equal(found.predict(given, 3, SAMPLED, draws).frames, long[:, :3])
    # And no frame after training's length is the one before it.
    later = long[:, FRAMES:].int()
    assert (later.diff(dim=1).abs().flatten(2).amax(dim=2) > 0).all()


@pytest.mark.parametrize(
    ("likelihood", "bits", "kind", "level"),
    [
        ("laplace", 8, "elbo", 1 / 255),
        ("gaussian", 8, "elbo", 1 / 255),
        ("bernoulli", 1, "elbo", 1.0),
        ("bernoulli", 8, "none", None),
    ],
)
def test_cross_entropy_of_grey_levels_is_no_likelihood(
    likelihood: str, bits: int, kind: str, level: float | None
) -> None:
    found = woken(likelihood=likelihood, view=view(bits=bits, channels="grey"))
    assert found.likelihood_kind == kind
    future = context(4).frames[:, :2]
    draws = Draws.each(0, [10, 11], range(2))
    if level is None:
        with pytest.raises(UserError, match="has no likelihood"):
            found.likelihood(context(2), future, draws)
    else:
        weighed = found.likelihood(context(2), future, draws)
        assert weighed.grey_level == level
        assert weighed.values.shape == (2, 2)
        assert weighed.dimensions == 2 * ROWS * ROWS


def test_drawn_frames_are_refused() -> None:
    options = LatentOptions(latents="sample", temperature=1.0, frames="sample")
    with pytest.raises(UserError, match="Set frames to mean"):
        woken().predict(context(2), 1, options, Draws.first(0, [10, 11]))
