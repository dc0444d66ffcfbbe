"""Layers of generators and critics against formulas written out by hand."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.config.compute import Compute
from foreframe.networks.adversarial import (
    EPSILON,
    Convolution,
    Linear,
    SelfAttention,
    drift,
    gradient_penalty,
    pixel_norm,
    with_deviation,
)
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator
from foreframe.running import compute
from tests.foreframe.priors import grey_maps
from tests.needs import needs_gpu

GPU = Compute(device="cuda", instructions="portable", threads=1, precision="float32")


def normal(*shape: int) -> Tensor:
    return generator(0, "x").normal(shape)


def test_an_equalised_layer_is_the_plain_one_with_scaled_weights() -> None:
    x = normal(2, 5, 6, 6)
    convolution = Convolution(5, 7, 3, equalised=True)
    grey_maps.loud(convolution)
    weight = convolution.weight * math.sqrt(2 / (5 * 9))
    expected = functional.conv2d(x, weight, convolution.bias, padding=1)
    torch.testing.assert_close(convolution(x), expected, rtol=0, atol=0)
    linear = Linear(30, 4, equalised=True)
    grey_maps.loud(linear)
    expected = functional.linear(normal(3, 30), linear.weight * math.sqrt(2 / 30), linear.bias)
    torch.testing.assert_close(linear(normal(3, 30)), expected, rtol=0, atol=0)


def test_both_ways_to_scale_begin_with_the_same_outputs() -> None:
    layers = [Convolution(64, 48, 3, equalised=equalised) for equalised in (True, False)]
    for layer in layers:
        initialize(layer, generator(0, "weights"))
    stored = [layer.weight.std().item() for layer in layers]
    assert stored[0] == pytest.approx(1, rel=0.02)
    assert stored[1] == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    x = normal(2, 64, 5, 5)
    torch.testing.assert_close(layers[0](x), layers[1](x))


def test_pixel_norm_gives_every_position_channels_of_mean_square_one() -> None:
    found = pixel_norm(3 * normal(2, 5, 4, 4))
    torch.testing.assert_close(found.square().mean(dim=1), torch.ones(2, 4, 4))
    assert torch.equal(pixel_norm(torch.zeros(1, 5)), torch.zeros(1, 5))


@pytest.mark.parametrize(
    ("rows", "groups"),
    [(1, [1]), (2, [2]), (4, [4]), (5, [3, 2]), (7, [4, 3]), (8, [4, 4]), (9, [3, 3, 3])],
)
def test_the_spread_of_groups_of_any_batch(rows: int, groups: list[int]) -> None:
    x = normal(rows, 3, 4, 4)
    found = with_deviation(x, 4)
    assert torch.equal(found[:, :3], x)
    assert found.shape == (rows, 4, 4, 4)
    first = 0
    for size in groups:
        part = x[first : first + size]
        variance = (part - part.mean(0)).square().mean(0)
        expected = (variance + EPSILON).sqrt().mean()
        torch.testing.assert_close(
            found[first : first + size, 3], expected.expand(size, 4, 4), rtol=1e-5, atol=0
        )
        first += size
    assert first == rows


def test_rows_that_are_alike_have_no_spread_and_a_finite_gradient() -> None:
    x = normal(1, 3, 4, 4).expand(8, -1, -1, -1).clone().requires_grad_()
    channel = with_deviation(x, 4)[:, 3]
    assert channel.max().item() == pytest.approx(math.sqrt(EPSILON))
    (gradient,) = torch.autograd.grad(channel.sum(), x)
    assert gradient.isfinite().all()


def test_attention_begins_as_nothing() -> None:
    layer = SelfAttention(16, equalised=True)
    initialize(layer, generator(0, "weights"))
    x = normal(2, 16, 4, 4)
    assert torch.equal(layer(x), x)


@pytest.mark.parametrize("equalised", [True, False])
def test_attention_is_a_mean_over_positions_weighted_by_a_softmax(*, equalised: bool) -> None:
    layer = SelfAttention(16, equalised=equalised)
    grey_maps.loud(layer)
    x = normal(2, 16, 2, 3)
    matrices = {name: getattr(layer, name).used()[:, :, 0, 0] for name in ("f", "g", "h", "v")}
    expected = torch.empty_like(x)
    for row, positions in zip(expected, x.flatten(2), strict=True):  # (16,N)
        columns = list(positions.unbind(1))
        made = []
        for query in columns:
            scores = torch.stack(
                [(matrices["f"] @ key) @ (matrices["g"] @ query) for key in columns]
            )
            shares = scores.exp() / scores.exp().sum()
            mean = sum(
                share * (matrices["h"] @ key) for share, key in zip(shares, columns, strict=True)
            )
            made.append(layer.gamma * (matrices["v"] @ mean) + query)
        row.copy_(torch.stack(made, dim=1).unflatten(1, (2, 3)).detach())
    torch.testing.assert_close(layer(x), expected)


def test_the_penalty_of_a_line_is_known_in_closed_form() -> None:
    weight = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    real, fake = normal(6, 3, 2, 2), 2 * normal(6, 3, 2, 2)
    share = generator(0, "share").uniform((6,))

    def score(x: Tensor) -> Tensor:
        return (x * weight).flatten(1).sum(1) + 7

    penalty, slope = gradient_penalty(score, real, fake, share)
    length = 0.5 * math.sqrt(12)
    assert slope.item() == pytest.approx(length)
    assert penalty.item() == pytest.approx((length - 1) ** 2)
    (gradient,) = torch.autograd.grad(penalty, weight)
    # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(gradient, 2 * (length - 1) * weight.detach() / length)


def test_the_penalty_is_between_each_true_row_and_its_made_one() -> None:
    real, fake = torch.zeros(3, 1), torch.ones(3, 1)
    share = torch.tensor([0.0, 0.25, 1.0])
    # The slope of x^2 / 2 is x, which is 1 - u here.
    penalty, slope = gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake, share)
    assert slope.item() == pytest.approx((1 + 0.75 + 0) / 3)
    assert penalty.item() == pytest.approx((0 + 0.0625 + 1) / 3)


def test_on_a_gpu_a_penalty_has_no_memory() -> None:
    needs_gpu()
    compute.prepare(GPU)
    critic = torch.nn.Sequential(
        Convolution(1, 8, 3, equalised=True),
        SelfAttention(8, equalised=True),
        Convolution(8, 8, 3, equalised=True),
    )
    initialize(critic, generator(0, "critic"))
    critic.to("cuda")
    real, fake = normal(8, 1, 8, 8).cuda(), 2 * normal(8, 1, 8, 8).cuda()

    def gradients() -> list[Tensor]:
        def score(x: Tensor) -> Tensor:
            return critic(x).square().flatten(1).sum(1)

        penalty, _ = gradient_penalty(score, real, fake, torch.full((8,), 0.5, device="cuda"))
        total = score(fake).mean() - score(real).mean() + 10 * penalty
        return [*torch.autograd.grad(total, [*critic.parameters()])]

    first = gradients()
    for _ in range(100):  # what a run that is resumed has not done
        critic(real).sum().backward()
    assert all(torch.equal(*pair) for pair in zip(first, gradients(), strict=True))


def test_drift_is_the_mean_square_of_scores() -> None:
    assert drift(torch.tensor([1.0, -3.0])).item() == 5
