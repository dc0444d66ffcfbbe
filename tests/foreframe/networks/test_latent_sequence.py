"""The networks of VRNN and SRNN: how large they are, and what depends on what."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.gaussian import Gaussian
from foreframe.networks.latent_sequence import LatentSequence, Scored
from foreframe.randomness import generator
from tests.foreframe.networks.latent_sequences import (
    GRAPHS,
    LATENT,
    PATCHES,
    every,
    lively,
    network,
    sequences,
)


def score(found: LatentSequence, x_BTS: Tensor, shift: float = 0.0) -> Scored:
    """Score with latents that do not depend on the patches, the second one shifted."""

    def choose(time: int, prior: Gaussian, posterior: Gaussian) -> Tensor:
        drawn = generator(0, "latent", time).normal((len(x_BTS), LATENT))
        return drawn + (shift if time == 1 else 0)

    return found.score(x_BTS, choose)


def values(found: Scored, name: str) -> Tensor:
    value = getattr(found, name)
    return value.mean if isinstance(value, Gaussian) else value


@every
def test_the_published_models_have_layers_of_these_sizes(changes: dict[str, Any]) -> None:
    # Each layer has a weight, its lengths and a bias; three layers from `inputs` to `outputs`.
    def three(inputs: int, outputs: int) -> int:
        return 100 * (inputs + 2) + 100 * (100 + 2) + outputs * (100 + 2)

    srnn, smoothing = changes["graph"] == "srnn", changes["smoothing"]
    counts = [three(100, 100), three(15, 100), three(200, 200)]  # of patches, latents; decoder
    counts += [three(200 if srnn else 300, 100), three(200 if srnn else 100, 30)]  # h; prior
    told = 200 if srnn else 100  # what a posterior is told of a patch
    counts += [three(100 + (100 if smoothing else told), 30)]
    counts += [three(100 + told, 100)] if smoothing else []
    found = network(**changes, points=100, hidden=100, latent=15, width=100)
    size = sum(parameter.numel() for parameter in found.parameters())
    assert size == sum(counts) + 115 * changes["learned_start"]


@every
def test_a_learned_start_begins_as_zeros_and_is_learned(changes: dict[str, Any]) -> None:
    without, having = (network(**changes | {"learned_start": each}) for each in (False, True))
    patches = [score(each, sequences()).patches.mean for each in (without, having)]
    assert torch.equal(*patches)
    found = score(having, sequences())
    (found.patches.mean.sum() + found.prior.mean.sum()).backward()
    first = [parameter.grad for parameter in having.parameters(recurse=False)]
    assert len(first) == 2
    assert all(grad is not None and grad.abs().min() > 0 for grad in first)


@every
def test_only_smoothing_lets_the_posterior_look_ahead(changes: dict[str, Any]) -> None:
    found, x_BTS, time = lively(network(**changes)), sequences(), 3
    other_BTS = x_BTS.clone()
    other_BTS[:, time] += 1
    one, other = score(found, x_BTS), score(found, other_BTS)
    before, after = values(one, "posterior"), values(other, "posterior")
    assert (before[:, time] != after[:, time]).all()
    if changes["smoothing"]:
        assert (before[:, :time] != after[:, :time]).all()
    else:
        assert torch.equal(before[:, :time], after[:, :time])
    # Prior, state and decoder know the patches before theirs alone, and each of those.
    for name in ("hidden", "prior", "patches"):
        before, after = values(one, name), values(other, name)
        assert torch.equal(before[:, : time + 1], after[:, : time + 1]), name
        assert (before[:, time + 1 :] != after[:, time + 1 :]).all(), name


@pytest.mark.parametrize("smoothing", [False, True])
@pytest.mark.parametrize("graph", GRAPHS)
def test_latents_feed_the_state_of_a_vrnn_and_the_next_latent_of_an_srnn(
    graph: str, smoothing: bool
) -> None:
    found, x_BTS = lively(network(graph=graph, smoothing=smoothing)), sequences()
    one, other = score(found, x_BTS), score(found, x_BTS, shift=1.0)
    srnn = graph == "srnn"
    # An SRNN remembers the latent before, and no others.
    wanted = {
        "hidden": [False, False, not srnn, not srnn, not srnn],
        "prior": [False, False, True, not srnn, not srnn],
        "posterior": [False, False, True, not srnn, not srnn],
        "patches": [False, True, not srnn, not srnn, not srnn],
    }
    for name, moved in wanted.items():
        before, after = values(one, name), values(other, name)
        same = [before[:, time].equal(after[:, time]) for time in range(PATCHES)]
        assert same == [not each for each in moved], name


def say(found: nn.Module, mean: float | None) -> None:
    """Let a network say this mean in all dimensions, unless None, and a deviation of its own."""
    last: Any = list(found.children())[-1]
    chosen = slice(LATENT, None) if mean is None else slice(None)
    with torch.no_grad():
        last.parametrizations.weight.original0[chosen] = 0
        last.bias[LATENT:] = 0.3
        if mean is not None:
            last.bias[:LATENT] = mean


@pytest.mark.parametrize("smoothing", [False, True])
@pytest.mark.parametrize("graph", GRAPHS)
def test_a_residual_is_what_the_posterior_adds_to_the_prior(graph: str, smoothing: bool) -> None:
    def divergences(residual: bool, mean: float) -> Tensor:
        found = lively(network(graph=graph, smoothing=smoothing, residual_posterior=residual))
        say(found.prior, None)
        say(found.posterior, mean)
        scored = score(found, sequences())
        return scored.posterior.divergence(scored.prior)

    assert (divergences(True, 0.0) == 0).all()
    assert (divergences(False, 0.0) > 0).all()
    deviation = functional.softplus(torch.tensor(0.3))
    added = divergences(True, 0.5)
    wanted = 0.5 * (0.5 / deviation).square()
    torch.testing.assert_close(added, wanted.expand_as(added), rtol=1e-4, atol=0)


def test_the_length_of_a_direction_changes_nothing() -> None:
    found, x_BTS = lively(network(smoothing=True)), sequences()
    before = score(found, x_BTS)
    layers: list[Any] = [layer for layer in found.modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == 3 * 7
    with torch.no_grad():
        for number, layer in enumerate(layers):
            layer.parametrizations.weight.original1.mul_(number + 2)
    after = score(found, x_BTS)
    for name in ("prior", "posterior", "patches"):
        torch.testing.assert_close(values(after, name), values(before, name))
