"""The variational autoencoder of pictures and points, and its bound in closed form."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.networks.noise import Fresh
from foreframe.networks.pair_networks import DecoderSettings, EncoderSettings
from foreframe.predictors.vae import VAE, build
from foreframe.randomness import generator
from tests.foreframe.predictors import pairs
from tests.foreframe.predictors.pairs import (
    PLANE,
    POINTS,
    given,
    moment,
    pictures,
    plan,
    ready,
    states,
    vae_settings,
)
from tests.foreframe.training import games

SPREAD = 0.3


def model(**changes: Any) -> VAE:
    found: VAE = ready(build(vae_settings(**changes), given()))
    return found


def lines(**changes: Any) -> VAE:
    """Return one of points whose nets are a line each."""
    nothing = {"layers": (), **pairs.plain(0.0)}
    known: dict[str, Any] = {
        "view": states(),
        **POINTS,
        "likelihood_deviation": SPREAD,
        "encoder": EncoderSettings(posterior="gaussian", **nothing),
        "decoder": DecoderSettings(**nothing),
    }
    return build(vae_settings(**(known | changes)), PLANE)


def test_the_bound_of_a_linear_model_with_its_true_posterior_is_the_likelihood() -> None:
    """With x = A z + b + noise, x is N(b, A A' + s^2) and z given x is N(S A'(x - b) / s^2, S).

    A is diagonal, since the encoder's deviations are those of independent latents.
    """
    found = lines()
    scale_S, bias_S = torch.tensor([0.9, -1.7]), torch.tensor([0.4, -0.2])
    posterior_S = 1 / (1 + scale_S.square() / SPREAD**2)
    into_S = posterior_S * scale_S / SPREAD**2
    with torch.no_grad():
        found.decoder.outward.weight.copy_(torch.diag(scale_S)[:, :, None, None])
        found.decoder.bias.bias_CHW.copy_(bias_S[:, None, None])
        assert found.encoder is not None
        outward = found.encoder.outward
        outward.weight.zero_()
        outward.weight[:2].copy_(torch.diag(into_S)[:, :, None, None])
        assert outward.bias is not None
        outward.bias.copy_(torch.cat([-into_S * bias_S, posterior_S.log() / 2]))
    x_N1S = bias_S + generator(0, "x").normal((20_000, 1, 2))
    loss = found.loss({"x": x_N1S}, moment())
    normal = torch.distributions.Normal(bias_S, (scale_S.square() + SPREAD**2).sqrt())
    exact = -normal.log_prob(x_N1S[:, 0]).sum(dim=1).mean()
    # The mean of log p(x, z) - log q(z | x), of which the KL is taken exactly: a little is left.
    assert loss["loss"].item() == pytest.approx(exact.item(), rel=0.01)
    mean_N2 = into_S * (x_N1S[:, 0] - bias_S)
    kl = 0.5 * (mean_N2.square() + posterior_S - 1 - posterior_S.log()).sum(dim=1).mean()
    torch.testing.assert_close(loss["kl"], kl / 2)
    torch.testing.assert_close(2 * (loss["nll"] + loss["kl"]), loss["loss"])


def test_what_is_scored_is_made_of_a_drawn_latent() -> None:
    found, x_B = model(), pictures(5)[0]
    loss = found.loss({"x": x_B}, moment())
    z = found.infer(x_B, {}, Fresh(moment().numbers, 5, x_B.device))
    off = (x_B - found.made(z, {})) / 0.1
    nll = (0.5 * off.square() + torch.tensor(0.1 * (2 * torch.pi) ** 0.5).log()).mean()
    torch.testing.assert_close(loss["nll"], nll.detach())
    reached = torch.autograd.grad(loss["loss"], [*found.parameters()])
    assert all(each.isfinite().all() and each.abs().max() > 0 for each in reached)


def test_it_learns_pictures_better_than_their_mean(tmp_path: Path) -> None:
    x_N = pictures(60)[0]
    training = plan(
        games.phase(steps=80, batch_size=20), players=("model",), learning_rate=0.01
    )  # fmt: skip
    found = build(vae_settings(training=training), given())
    pairs.trained(found, tmp_path, x_N)
    found.eval()
    again = found.remade(found.inferred(x_N, range(60), 0), {})
    missed = (again - x_N).square().mean()
    assert missed < 0.3 * (x_N - x_N.mean(dim=0)).square().mean()


def test_it_begins_as_the_mean_picture() -> None:
    found, x_B = model(), pictures(6)[0].clamp(0.01, 0.99)
    found.objective().start({"x": x_B}, moment())
    wanted: Tensor = x_B.mean(dim=0)[:, 0].logit()
    torch.testing.assert_close(found.decoder.bias.bias_CHW.detach(), wanted)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": pairs.POINT_ENCODER}, "encoder.posterior is implicit, which has no density"),
        ({"labels": ("digit",)}, "labels is digit, but vae is told nothing"),
        ({"training": plan()}, "those of this vae are model"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        vae_settings(**changes)
