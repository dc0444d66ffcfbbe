"""What the recurrent flow network says of its latents, and which random numbers it asks for."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from foreframe.networks.noise import Noise
from foreframe.predictors.rfn import Temperatures
from foreframe.randomness import Shape
from tests.foreframe.predictors.sequential import Same
from tests.foreframe.predictors.test_rfn import FRAMES, PLAIN, SMALL, clips, ready
from tests.test_recurrent_flows import sections


def softplus(raw: float) -> float:
    return math.log1p(math.exp(raw))


@torch.no_grad()
def says(network: nn.Module, mean: float, raw: float) -> None:
    """Let prior or posterior say N(mean, softplus(raw)^2) of whatever it sees."""
    last = [part for part in network.modules() if isinstance(part, nn.Conv2d)][-1]
    assert last.bias is not None
    last.weight.zero_()
    last.bias[: SMALL["latent"]] = mean
    last.bias[SMALL["latent"] :] = raw


@pytest.mark.parametrize(("kind", "base"), [("softplus", softplus(0.3)), ("exp", math.exp(0.3))])
@torch.no_grad()
def test_the_deviations_that_are_reported_are_those_of_each_part(kind: str, base: float) -> None:
    model = ready(base_deviation=kind)
    says(model.prior, 0.0, 1.0)
    says(model.posterior, 0.0, 2.0)
    output: Any = model.base.network[-1]
    output.weight.zero_()
    output.log_scale.zero_()
    output.bias.fill_(0.3)
    about = model.terms(clips(), 2, Same(2)).about
    wanted = {
        "prior_deviation": softplus(1),
        "posterior_deviation": softplus(2),
        "base_deviation": base,
    }
    assert about.keys() == wanted.keys() | {name.replace("deviation", "mean") for name in wanted}
    for name, value in wanted.items():
        torch.testing.assert_close(about[name].float(), torch.full((2, FRAMES - 2), value))


@torch.no_grad()
def test_what_was_drawn_weighs_prior_over_posterior() -> None:
    model, noise = ready(), Same(2)
    says(model.prior, 0.0, 1.0)
    says(model.posterior, 0.5, 2.0)
    found = model.terms(clips(), 2, noise)
    assert found.log_ratio is not None
    shape = (SMALL["latent"], 2, 2)
    zeros = torch.zeros(shape, dtype=torch.float64)
    prior, posterior = Normal(zeros, softplus(1)), Normal(zeros + 0.5, softplus(2))
    for step in range(FRAMES - 2):
        z = 0.5 + softplus(2) * noise.normal("posterior", 2 + step, shape)
        wanted = (prior.log_prob(z) - posterior.log_prob(z)).flatten(1).sum(dim=1)
        torch.testing.assert_close(found.log_ratio[:, step], wanted, rtol=1e-6, atol=1e-6)
        kl = kl_divergence(posterior, prior).sum()
        torch.testing.assert_close(found.kl["z"][:, step], kl.expand(2), rtol=1e-6, atol=1e-6)


class Recorded(Noise):
    """Tells which numbers were asked for, by purpose and frame."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def normal(self, purpose: str, time: int, shape: Shape) -> Tensor:
        self.asked.append((purpose, time))
        return Same(2).normal(purpose, time, shape)

    def gumbel(self, purpose: str, time: int, shape: Shape) -> Tensor:
        raise AssertionError("all that is drawn is Gaussian")


@torch.no_grad()
def test_no_number_is_drawn_twice() -> None:
    sizes = {"levels": 3, "widths": (2, 2, 2), "conditioning": (2, 2, 2)}
    model = ready(**sizes, overshooting=3, prior_chain="self")
    noise = Recorded()
    state = model.start(model.encode(clips()[:, :, :3]), PLAIN, noise)
    for time in (3, 4):
        _, state = model.advance(state, time, PLAIN, noise)
    # A latent of each frame but the first; of the two that are drawn, three of the flow as well.
    assert len(set(noise.asked)) == len(noise.asked) == 4 + 2 * 3
    noise = Recorded()
    model.terms(clips(), 2, noise)
    assert len(set(noise.asked)) == len(noise.asked)


@torch.no_grad()
def test_latents_of_the_given_frames_are_as_cold_as_later_ones() -> None:
    model = ready()
    seen = model.encode(clips()[:, :, :2])
    prior = model.prior(seen.latent, seen.given[:, 0])
    numbers = Same(2).normal("prior", 1, prior.mean.shape[1:])
    for scale in (1e-9, 2.0):
        warm = model.start(seen, Temperatures(flow=0.5, prior=scale), Same(2)).latent
        torch.testing.assert_close(warm, prior.mean + scale * prior.deviation * numbers)


def test_the_thesis_preset_has_five_channels_of_latents_in_colour_and_three_in_grey() -> None:
    runs = sections("thesis").sections["predictors"].values()
    found = {(run["view"]["channels"], run["latent"]) for run in runs if run["kind"] == "rfn"}
    assert found == {("colour", 5), ("grey", 3)}
