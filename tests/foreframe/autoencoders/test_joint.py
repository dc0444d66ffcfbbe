"""Laws of joint training: the autoencoder's own loss at weight 0, the priors' own as the rate.

The rate's gradient is that of the soft assignment, and it lowers the rate.
"""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.autoencoders import joint
from foreframe.autoencoders.joint import Joint
from foreframe.autoencoders.vqvae import VQVAE
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.priors import AutoregressivePrior, Codes, build, density
from foreframe.priors.actions import Actions
from foreframe.randomness import generator
from tests.foreframe.autoencoders import small
from tests.foreframe.priors import tiny
from tests.foreframe.training.games import follower

LEVELS = ("top", "bottom")
SHAPE = Shape(channels=3, frames=8, height=16, width=16)


def clips(count: int = 2) -> Tensor:
    return small.moving_stripes(count, frames=8, size=16)


def priors_of(model: VQVAE) -> dict[str, AutoregressivePrior]:
    shapes = {
        level: Codes(grid, model.codebook_sizes[level]) for level, grid in model.grids().items()
    }
    found = {
        "top": density(build(tiny.top_settings(), shapes["top"], {})),
        "bottom": density(build(tiny.bottom_settings(), shapes["bottom"], {"top": shapes["top"]})),
    }
    for level, prior in found.items():
        prior.initialize(generator(0, "weights", level))
    return found


def network(weight: float, temperature: float = 1.0, **changes: object) -> Joint:
    model = small.model(SHAPE, **changes)
    return Joint(model, priors_of(model), rate_weight=weight, temperature=temperature)


def gradients(model: torch.nn.Module, loss: Tensor) -> dict[str, Tensor | None]:
    model.zero_grad()
    loss.backward()
    return {name: value.grad for name, value in model.named_parameters()}


def test_without_weight_it_is_the_autoencoders_own_step() -> None:
    own, jointly = small.model(SHAPE, bottom_dropout=0.5), network(0.0, bottom_dropout=0.5)
    expected = small.loss(own, clips(), "step")
    found = small.loss(jointly, clips(), "step")
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    theirs = gradients(own, expected["loss"])
    mine = gradients(jointly, found["loss"])
    for name, expected_gradient in theirs.items():
        gradient = mine[f"autoencoder.{name}"]
        assert expected_gradient is not None and gradient is not None
        # Not to the last bit: sums over gradients that lie elsewhere in memory.
        torch.testing.assert_close(gradient, expected_gradient)
    for name, gradient in mine.items():
        assert name.startswith("autoencoder.") or gradient is None or not gradient.any()
    # The codebooks have moved alike.
    for name, value in own.state_dict().items():
        assert torch.equal(jointly.autoencoder.state_dict()[name], value), name


@pytest.mark.parametrize("training", [True, False])
def test_the_rate_is_the_priors_own_loss_of_the_hard_codes(training: bool) -> None:
    jointly = network(0.5).train(training)
    codes = jointly.autoencoder.encode(clips())
    found = small.loss(jointly, clips(), "step")
    bits = 0.0
    for level in LEVELS:
        prior = jointly.prior(level)
        nats = -prior.log_prob(codes[level], prior.condition(codes))
        torch.testing.assert_close(found[f"nll_{level}"], nats.mean())
        bits += nats.sum().item() / math.log(2) / 2
    assert found["bits_per_clip"].item() == pytest.approx(bits, rel=1e-5)
    assert found["rate"].item() == pytest.approx(bits * math.log(2) / clips()[0].numel(), rel=1e-5)
    torch.testing.assert_close(found["loss"], found["distortion"] + 0.5 * found["rate"])


def test_the_priors_are_trained_as_alone() -> None:
    jointly = network(1.0)
    codes = jointly.autoencoder.encode(clips())
    found = gradients(jointly, small.loss(jointly, clips(), "step")["loss"])
    for level in LEVELS:
        prior = jointly.prior(level)
        nats = -prior.log_prob(codes[level], prior.condition(codes)).sum() / clips().numel()
        for name, value in gradients(prior, nats).items():
            if value is not None:
                torch.testing.assert_close(found[f"priors.{level}.{name}"], value)


def test_the_pull_is_the_gradient_of_the_expected_nats() -> None:
    """Against plain autograd of sum_k q_k (-log p_k), with distances written out."""
    random = generator(0, "pull")
    z = random.normal((2, 3, 1, 2, 2)).requires_grad_()
    codebook, logits = random.normal((5, 3)), torch.randn(2, 5, 1, 2, 2)
    spread = torch.tensor(0.7)
    shares = joint.assignment(z, codebook, spread)
    pulled = joint.pull(shares, logits)
    assert not pulled.any()
    (found,) = torch.autograd.grad(pulled.sum(), z)
    distances = (z[:, None] - codebook[None, :, :, None, None, None]).square().sum(2)
    q = (-distances / (2 * spread)).softmax(1)
    torch.testing.assert_close(shares, q)
    (expected,) = torch.autograd.grad(-(q * functional.log_softmax(logits, 1)).sum(), z)
    torch.testing.assert_close(found, expected)
    assert found.abs().max() > 0


def test_a_cold_assignment_is_the_hard_one() -> None:
    model = small.model(SHAPE)
    top = model.eval().quantize(clips(), generator(0))["top"]
    shares = joint.assignment(top.z, model.codebook("top"), torch.tensor(1e-7))
    hard = functional.one_hot(top.ids, 32).movedim(-1, 1).float()
    torch.testing.assert_close(shares, hard)


def test_scaling_vectors_and_codes_together_changes_no_share() -> None:
    """The variance of the vectors around their codes is the unit of distance."""
    model = small.model(SHAPE)
    top = model.eval().quantize(clips(), generator(0))["top"]
    codebook = model.codebook("top")
    plain = joint.assignment(top.z, codebook, top.commitment)
    scaled = joint.assignment(9 * top.z, 9 * codebook, 81 * top.commitment)
    torch.testing.assert_close(plain, scaled)


def test_the_rate_reaches_the_encoder_and_falls() -> None:
    """Trained by the rate alone, with fixed priors and codebooks, codes become likelier."""
    jointly = network(1.0, ema_decay=0.0, restart_threshold=0.0)
    jointly.eval()  # the codebooks stay
    for level in LEVELS:
        jointly.prior(level).requires_grad_(requires_grad=False)
    follow = follower(jointly, learning_rate=0.001)
    before = small.loss(jointly, clips(4))["rate"].item()
    found = gradients(jointly, small.loss(jointly, clips(4))["rate"])
    for name in ("bottom_encoder.0", "top_encoder.0", "top_projection", "bottom_projection"):
        gradient = found[f"autoencoder.{name}.weight"]
        assert gradient is not None and gradient.any(), name
    assert found["autoencoder.decoder.0.weight"] is None
    for _ in range(10):
        follow(small.loss(jointly, clips(4))["rate"])
    assert small.loss(jointly, clips(4))["rate"].item() < 0.95 * before


def test_without_gradients_nothing_else_changes() -> None:
    jointly = network(0.3).eval()
    with torch.no_grad():
        plain = small.loss(jointly, clips())
    for name, value in small.loss(jointly, clips()).items():
        torch.testing.assert_close(value.detach(), plain[name])


def test_what_does_not_fit_is_refused() -> None:
    model = small.model(SHAPE)
    others = priors_of(small.model(SHAPE, codebook_size=16))
    with pytest.raises(UserError, match="has 16 codes, the autoencoder 32"):
        Joint(model, others, rate_weight=1.0, temperature=1.0)
    driven = priors_of(model)
    actions = Actions(("steering",), 8, (0.0,), (1.0,))
    driven["top"] = density(
        build(tiny.top_settings(actions="input"), driven["top"].codes, {}, actions)
    )
    with pytest.raises(UserError, match="top takes actions"):
        Joint(model, driven, rate_weight=1.0, temperature=1.0)
