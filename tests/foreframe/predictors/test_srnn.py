"""What the settings of the convolutional SRNN change, and what they leave alone."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe.predictors import srnn
from foreframe.predictors.learned import ROLE
from tests.foreframe.predictors.sequential import (
    FRAMES,
    SMALL,
    THESIS,
    Same,
    clips,
    cost,
    followed,
    given,
    ready,
    view,
)

PLAIN: dict[str, Any] = {
    "kind": "srnn",
    "smoothing": False,
    "residual_posterior": False,
    "overshooting": 1,
    "prior_chain": "posterior",
}
SCORED = FRAMES - 1


def silent(*heads: Any) -> None:
    """Let the last layer of heads say 0, whatever it is told."""
    for head in heads:
        nn.init.zeros_(head[-1].weight)
        nn.init.zeros_(head[-1].bias)


def settings(base: dict[str, Any] = SMALL, **changes: Any) -> srnn.Settings:
    known = base | PLAIN | changes
    return srnn.Settings(**({"view": view(known["output"])} | known))


@pytest.mark.parametrize(("smoothing", "weights"), [(True, 95_703_521), (False, 89_181_665)])
def test_the_network_of_the_thesis_has_its_weights(smoothing: bool, weights: int) -> None:
    shown = view(THESIS["output"], channels="colour")
    chosen = settings(THESIS, view=shown, smoothing=smoothing)
    with torch.device("meta"):
        model = ROLE.build(chosen, given(chosen, 64, 64))
    assert model.trainable() == weights
    parts = {
        name: sum(each.numel() for each in part.parameters())
        for name, part in model.named_children()
    }
    heads = 2 * (4097 * 512 + 513 * 256 + 257 * 25)
    trunk, state = 9 * 384 * 256 + 2 * 256, 256 * 8 * 8
    wanted = {
        "output": 0,
        "features": 9 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 256) + 2 * (64 + 128 + 2 * 256),
        "latent_features": 26 * 8192 + 8193 * 8192 + 9 * 128 * 128 + 2 * 128,
        "decoder": 16 * (384 * 512 + 256 * 64 + 64 * 32)
        + 9 * (512 * 256 + 64 * 64 + 32 * 100)
        + 2 * (512 + 256 + 64 + 64 + 32)
        + 100,
        "first_h": state,
        "first_c": state,
        "first_z": 25,
        "recurrence": 9 * 512 * 1024 + 1024,
        "prior": trunk + heads,
        "posterior": trunk + heads,
    }
    if smoothing:
        wanted |= {"lookahead": 9 * 768 * 1024 + 1024 + 2 * state}
    else:
        wanted["posterior"] += 9 * 256 * 256
    assert parts == wanted


@torch.no_grad()
def test_only_smoothing_looks_ahead() -> None:
    model = ready(settings(smoothing=True))
    model.output.raw_deviation.fill_(-2)  # so that frames tell small differences
    x_BCTHW = clips(model)
    changed = x_BCTHW.clone()
    changed[:, :, -1] = 1 - changed[:, :, -1]
    before, after = (model.terms(each, 1, Same(3)) for each in (x_BCTHW, changed))
    # The frame changes every posterior before it.
    assert (before.kl["z"] != after.kl["z"]).all()
    assert (before.nll != after.nll).all()
    # But no state that the future is told of.
    given_before, given_after = (model.encode(each).given for each in (x_BCTHW, changed))
    assert torch.equal(given_before, given_after)
    changed[:, :, 1] = 1 - changed[:, :, 1]
    given_after = model.encode(changed).given
    assert torch.equal(given_before[:, 0], given_after[:, 0])
    assert not torch.equal(given_before[:, 1], given_after[:, 1])


@torch.no_grad()
def test_smoothing_goes_backward() -> None:
    # With nothing else to tell of earlier frames, a posterior knows its own frame and later ones.
    model = ready(settings(smoothing=True))
    model.lookahead.recurrence.gates.weight[:, : SMALL["hidden"]] = 0
    model.posterior.trunk[0][0].weight[:, : SMALL["latent_features"]] = 0
    silent(model.prior.mean, model.prior.deviation)
    x_BCTHW = clips(model)
    changed = x_BCTHW.clone()
    changed[:, :, 2] = 1 - changed[:, :, 2]
    before, after = (model.terms(each, 1, Same(3)).kl["z"] for each in (x_BCTHW, changed))
    assert (before == after).tolist() == [[False, False, True, True]] * 3


@pytest.mark.parametrize("context", [1, 3])
@pytest.mark.parametrize("chain", ["self", "posterior"])
@torch.no_grad()
def test_a_residual_of_0_is_the_prior(chain: str, context: int) -> None:
    model = ready(settings(smoothing=True, residual_posterior=True, prior_chain=chain))
    silent(model.posterior.mean, model.posterior.deviation, model.prior.deviation)
    x_BCTHW, noise = clips(model), Same(3, apart=False)
    terms = model.terms(x_BCTHW, context, noise)
    zeros = torch.zeros(3, FRAMES - context)
    torch.testing.assert_close(terms.kl["z"], zeros)
    torch.testing.assert_close(terms.log_ratio, zeros)
    wanted = cost(model, x_BCTHW[:, :, context:], followed(model, x_BCTHW, context, noise))
    torch.testing.assert_close(terms.nll, wanted, rtol=1e-5, atol=1e-3)
    # And what the posterior says beside is added to the mean.
    nn.init.constant_(model.posterior.mean[-1].bias, 0.5)
    moved = model.terms(x_BCTHW, context, noise).kl["z"][:, 0]
    deviation = torch.nn.functional.softplus(torch.zeros(()))
    torch.testing.assert_close(moved, (3 * 0.25 / 2 / deviation**2).expand(3))


@torch.no_grad()
def test_the_priors_own_chain_changes_the_divergence_and_not_the_likelihood() -> None:
    # One network, whatever the settings: the same weights in the same places.
    own, along = (ready(settings(prior_chain=chain)) for chain in ("self", "posterior"))
    along.load_state_dict(own.state_dict())
    x_BCTHW = clips(own)
    first, second = (model.terms(x_BCTHW, 1, Same(3)) for model in (own, along))
    assert torch.equal(first.nll, second.nll)
    assert torch.equal(first.log_ratio, second.log_ratio)
    torch.testing.assert_close(first.kl["z"][:, 0], second.kl["z"][:, 0])
    assert ((first.kl["z"] - second.kl["z"])[:, 1:].abs() > 1e-4).all()
    assert (first.kl["z"] >= 0).all()


@torch.no_grad()
def test_the_priors_own_chain_is_that_of_futures() -> None:
    # A posterior that says N(0, v) of whatever it sees: its KL tells the prior's mean.
    model = ready(settings(prior_chain="self"))
    silent(model.posterior.mean, model.posterior.deviation, model.prior.deviation)
    x_BCTHW, said = clips(model), []
    keep = model.prior.register_forward_hook(lambda _, __, prior: said.append(prior.mean))
    followed(model, x_BCTHW, 1, Same(3))
    keep.remove()
    deviation = torch.nn.functional.softplus(torch.zeros(()))
    wanted = torch.stack([(mean / deviation).square().sum(dim=1) / 2 for mean in said], dim=1)
    torch.testing.assert_close(model.terms(x_BCTHW, 1, Same(3)).kl["z"], wanted)


@pytest.mark.parametrize("depth", [2, 3])
@torch.no_grad()
def test_overshooting_changes_the_divergence_alone(depth: int) -> None:
    plain, deep = (ready(settings(overshooting=each)) for each in (1, depth))
    deep.load_state_dict(plain.state_dict())
    x_BCTHW = clips(plain)
    one, other = (model.terms(x_BCTHW, 1, Same(3)) for model in (plain, deep))
    assert torch.equal(one.nll, other.nll)
    assert torch.equal(one.log_ratio, other.log_ratio)
    # No step is left after the last one.
    assert torch.equal(one.kl["z"][:, -1], other.kl["z"][:, -1])
    assert ((one.kl["z"] - other.kl["z"])[:, :-1].abs() > 1e-4).all()
    # What is rolled on is drawn.
    drawn = deep.terms(x_BCTHW, 1, Moved(3))
    assert (drawn.kl["z"][:, :-1] != other.kl["z"][:, :-1]).all()
    assert torch.equal(drawn.log_ratio, other.log_ratio)


class Moved(Same):
    """Other numbers for what is rolled on alone."""

    def normal(self, purpose: str, time: int, shape: Any) -> Tensor:
        return super().normal(purpose, time, shape) + purpose.startswith("overshooting")


@torch.no_grad()
def test_where_the_prior_sees_no_latent_overshooting_is_a_mean_of_divergences() -> None:
    plain, deep = (ready(settings(overshooting=each)) for each in (1, 3))
    plain.prior.trunk[0][0].weight[:, : SMALL["latent_features"]] = 0
    deep.load_state_dict(plain.state_dict())
    x_BCTHW = clips(plain)
    one, other = (model.terms(x_BCTHW, 1, Same(3)).kl["z"] for model in (plain, deep))
    wanted = [one[:, step : step + 3].mean(dim=1) for step in range(SCORED)]
    torch.testing.assert_close(other, torch.stack(wanted, dim=1))


@pytest.mark.parametrize("depth", [0, 4])
def test_overshooting_is_1_to_3(depth: int) -> None:
    with pytest.raises(ValueError, match="overshooting"):
        settings(overshooting=depth)
