"""Chains of layers: the sizes and weights of the printed tables, and what each layer computes."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from foreframe.errors import UserError
from foreframe.networks.chains import Chain, ChainSettings, Layer
from foreframe.networks.dropout import Dropout
from foreframe.networks.initialization import initialize
from foreframe.networks.pair_networks import (
    Critic,
    CriticSettings,
    Decoder,
    Embedding,
    Encoder,
    Head,
    PairCritic,
    PairCriticSettings,
)
from foreframe.randomness import generator
from tests.foreframe.predictors.pairs import PAPER, SIDES, layer_of, layers, maxout, plain

# Sides before the first layer, and after each but the last of encoder and decoder.
SIZES = {
    "svhn": (
        (32, 28, 13, 10, 4, 1, 1), (1, 4, 10, 13, 28, 32, 32), (32, 28, 13, 10, 4, 1),
    ),
    "cifar10": (
        (32, 28, 13, 10, 4, 1, 1), (1, 4, 10, 13, 28, 32, 32), (32, 28, 13, 10, 4, 1),
    ),
    "celeba": ((64, 63, 29, 13, 4, 1), (1, 4, 13, 29, 63, 64), (64, 63, 29, 13, 4, 1)),
    "imagenet": (
        (64, 31, 28, 13, 10, 4, 1, 1, 1), (1, 1, 1, 4, 10, 13, 28, 31, 64),
        (64, 31, 28, 13, 10, 4, 1),
    ),
}  # fmt: skip
# Weights of encoder, decoder, the critic's three chains (the joint one with its head), in all.
WEIGHTS = {
    "svhn": (3_315_488, 1_767_584, 2_789_632, 394_240, 2_100_225, 10_367_169),
    "cifar10": (3_118_496, 981_152, 1_396_032, 164_864, 1_051_137, 6_711_681),
    "celeba": (6_794_880, 11_811_392, 6_532_160, 1_312_768, 7_346_177, 33_797_377),
    "imagenet": (7_812_352, 3_164_224, 2_036_416, 4_722_688, 26_226_689, 43_962_369),
}
# The same in millions, as they are printed; the last two of ImageNet with one digit.
PRINTED = {
    "svhn": (3.32, 1.77, 2.79, 0.39, 2.10, 10.4),
    "cifar10": (3.12, 0.98, 1.40, 0.16, 1.05, 6.7),
    "celeba": (6.79, 11.81, 6.53, 1.31, 7.35, 33.8),
    "imagenet": (7.81, 3.16, 2.04, 4.72, 26.2, 44.0),
}


def nets(name: str) -> tuple[Encoder, Decoder, PairCritic]:
    chosen, shape = PAPER[name], (3, SIDES[name], SIDES[name])
    latents = chosen["latents"]
    with torch.device("meta"):
        return (
            Encoder(chosen["encoder"], shape, latents, 0, 0.01),
            Decoder(chosen["decoder"], shape, latents, 0, 0.01),
            PairCritic(chosen["critic"], shape, latents, 0, 1, 0.01),
        )


def count(*modules: nn.Module) -> int:
    return sum(each.numel() for module in modules for each in module.parameters())


def closed(settings: ChainSettings, inputs: int) -> tuple[int, int]:
    """Return how many weights a chain has, and its channels at the end."""
    pieces, weights = getattr(settings.activation, "pieces", 1), 0
    for row in settings.layers:
        extra = 2 if row.normalise == "batch" else 1
        weights += row.kernel**2 * inputs * row.channels + extra * row.channels
        inputs = row.channels // pieces
    return weights, inputs


@pytest.mark.parametrize("name", PAPER)
def test_sizes_are_those_of_the_tables_and_those_of_the_maps(name: str) -> None:
    encoder, decoder, critic = nets(name)
    chains = (encoder.chain, decoder.chain, critic.pictures)
    for chain, sides in zip(chains, SIZES[name], strict=True):
        assert chain.sizes == [(side, side) for side in sides]
        inputs = layer_of(chain, 0).convolution.in_channels
        maps = chain.before_activation(torch.empty(2, inputs, *chain.sizes[0], device="meta"))
        assert [(each.shape[2], each.shape[3]) for each in maps] == chain.sizes[1:]


def test_house_numbers_have_5376_features() -> None:
    """What the last three layers give, and the mean; the thesis prints 8960."""
    chain = nets("svhn")[0].chain
    maps = chain.before_activation(torch.empty(2, 3, 32, 32, device="meta"))
    assert sum(each[0].numel() for each in maps[-3:]) + PAPER["svhn"]["latents"] == 5376


@pytest.mark.parametrize("name", PAPER)
def test_weights_are_as_many_as_the_tables_say(name: str) -> None:
    chosen, latents = PAPER[name], PAPER[name]["latents"]
    encoder, decoder, critic = nets(name)
    below, wide = closed(chosen["encoder"], 3)
    above, thin = closed(chosen["decoder"], latents)
    seen, of_x = closed(chosen["critic"].pictures, 3)
    known, of_z = closed(chosen["critic"].latents, latents)
    joint, both = closed(chosen["critic"].joint, of_x + of_z)
    wanted = (
        below + wide * 2 * latents + 2 * latents,
        above + 3 * thin + 3 * SIDES[name] ** 2,
        seen,
        known,
        joint + both + 1,
    )
    found = (
        count(encoder), count(decoder), count(critic.pictures), count(critic.latents),
        count(critic.joint, critic.head),
    )  # fmt: skip
    assert (*found, sum(found)) == (*wanted, sum(wanted)) == WEIGHTS[name]
    for weights, printed in zip(WEIGHTS[name], PRINTED[name], strict=True):
        digits = len(str(printed).split(".")[1])
        assert round(weights / 1e6, digits) == printed


def test_the_trunk_of_the_semi_supervised_critic_halves_twice_and_is_averaged() -> None:
    """96-96-96/2, 192-192-192/2, 192 valid, 192, 192 and a mean (Salimans et al. 2016)."""
    table = [(3, 1, 96, 1), (3, 1, 96, 1), (3, 2, 96, 1), (3, 1, 192, 1), (3, 1, 192, 1)]
    table += [(3, 2, 192, 1), (3, 1, 192, 0), (1, 1, 192, 0), (1, 1, 192, 0)]
    rows = tuple(
        Layer(
            kernel=kernel, stride=stride, channels=channels, padding=padding, transposed=False,
            normalise="weight", drop=0.0,
        )
        for kernel, stride, channels, padding in table
    )  # fmt: skip
    chosen = ChainSettings(layers=rows, activation=plain(0.2)["activation"], pooled=True)
    with torch.device("meta"):
        chain = Chain(chosen, 3, (32, 32), 0.05, "It")
        assert chain(torch.empty(2, 3, 32, 32)).shape == (2, 192, 1, 1)
    assert [side for side, _ in chain.sizes] == [32, 32, 32, 16, 16, 16, 8, 6, 6, 6, 1]
    # A length and a bias of each channel beside the directions.
    inputs = (3, 96, 96, 96, 192, 192, 192, 192, 192)
    assert count(chain) == sum(
        kernel**2 * below * channels + 2 * channels
        for below, (kernel, _, channels, _) in zip(inputs, table, strict=True)
    )


def made(
    rows: Sequence[Layer], inputs: int, side: int, deviation: float = 0.3, **how: Any
) -> Chain:
    """Return a chain in eval mode whose statistics are not those of the start."""
    chain = Chain(
        ChainSettings(layers=tuple(rows), **(how or plain(0.1))), inputs, (side, side), deviation,
        "It",
    )  # fmt: skip
    initialize(chain, generator(0, "weights"))
    numbers = generator(0, "statistics")
    with torch.no_grad():
        for name, each in (*chain.named_buffers(), *chain.named_parameters()):
            if each.ndim == 1:
                low = 0.5 if name.endswith("running_var") else -0.5
                each.copy_(numbers.uniform(each.shape, low, low + 1))
    return chain.eval()


def test_a_layer_is_a_convolution_a_norm_and_an_activation() -> None:
    rows = (*layers((3, 2, 4)), *layers((3, 2, 2), normalise="none", up=True))
    chain, x_BCHW = made(rows, 2, 7), generator(0, "x").normal((5, 2, 7, 7))
    first, second = layer_of(chain, 0), layer_of(chain, 1)
    norm = first.norm
    hidden = functional.conv2d(x_BCHW, first.convolution.weight, stride=2)
    known = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    mean, spread, scale, shift = (each[:, None, None] for each in known)
    before = (hidden - mean) / (spread + 1e-5).sqrt() * scale + shift
    after = torch.where(before > 0, before, 0.1 * before)
    last = functional.conv_transpose2d(
        after, second.convolution.weight, second.convolution.bias, stride=2
    )
    torch.testing.assert_close(chain(x_BCHW), torch.where(last > 0, last, 0.1 * last))
    for found, wanted in zip(chain.before_activation(x_BCHW), (before, last), strict=True):
        torch.testing.assert_close(found, wanted)
    assert first.convolution.bias is None


def test_running_statistics_take_a_twentieth_of_a_batch() -> None:
    chain = Chain(ChainSettings(layers=layers((1, 1, 3)), **plain(0.1)), 2, (4, 4), 0.3, "It")
    initialize(chain, generator(0, "weights"))
    x_BCHW = generator(0, "x").normal((6, 2, 4, 4))
    made_BCHW = layer_of(chain, 0).convolution(x_BCHW)
    chain(x_BCHW)
    mean, variance = made_BCHW.mean(dim=(0, 2, 3)), made_BCHW.var(dim=(0, 2, 3))
    norm = layer_of(chain, 0).norm
    torch.testing.assert_close(norm.running_mean, 0.05 * mean)
    torch.testing.assert_close(norm.running_var, 0.95 + 0.05 * variance)


def test_maxout_is_the_largest_of_the_pieces_of_a_channel() -> None:
    chain = made(layers((1, 1, 6), normalise="none"), 2, 1, **maxout(3))
    x_BCHW = generator(0, "x").normal((4, 2, 1, 1))
    layer = layer_of(chain, 0).convolution
    lines = functional.linear(x_BCHW.flatten(1), layer.weight.flatten(1), layer.bias)
    wanted = torch.stack([lines[:, :3].amax(dim=1), lines[:, 3:].amax(dim=1)], dim=1)
    assert chain.outputs == 2
    torch.testing.assert_close(chain(x_BCHW).flatten(1), wanted)


@pytest.mark.parametrize("up", [False, True])
def test_a_normalised_weight_has_a_length_for_each_channel_it_makes(up: bool) -> None:
    """W = g v / |v|; of g the gradient is that of w along v / |v|, of v what is across."""
    chain = made(layers((2, 1, 3), normalise="weight", up=up), 2, 4)
    layer = layer_of(chain, 0).convolution
    length, direction = (
        getattr(layer.parametrizations.weight, name) for name in ("original0", "original1")
    )
    axis = 1 if up else 0
    assert length.shape == tuple(3 if place == axis else 1 for place in range(4))
    others = [place for place in range(4) if place != axis]
    unit = direction / direction.square().sum(dim=others, keepdim=True).sqrt()
    torch.testing.assert_close(layer.weight, length * unit)
    plain_weight = (length * unit).detach().requires_grad_()
    x_BCHW = generator(0, "x").normal((5, 2, 4, 4))
    turn = functional.conv_transpose2d if up else functional.conv2d
    raw = turn(x_BCHW, plain_weight, layer.bias)
    functional.leaky_relu(raw, 0.1).square().sum().backward()
    chain(x_BCHW).square().sum().backward()
    assert plain_weight.grad is not None and direction.grad is not None
    along = (plain_weight.grad * unit.detach()).sum(dim=others, keepdim=True)
    torch.testing.assert_close(length.grad, along, rtol=1e-4, atol=1e-4)
    inside = (direction.grad * unit.detach()).sum(dim=others)
    torch.testing.assert_close(inside, torch.zeros_like(inside), rtol=0, atol=1e-3)


def test_weights_begin_as_normal_numbers_and_biases_as_zeros() -> None:
    rows = (*layers((3, 1, 40)), *layers((3, 1, 40), normalise="weight"))
    chain = Chain(ChainSettings(layers=rows, **plain(0.1)), 30, (5, 5), 0.07, "It")
    initialize(chain, generator(0, "weights"))
    for place in (0, 1):
        layer = layer_of(chain, place)
        assert layer.convolution.weight.std().item() == pytest.approx(0.07, rel=0.05)
        assert layer.convolution.weight.mean().abs() < 0.003
    assert torch.equal(layer_of(chain, 1).convolution.bias, torch.zeros(40))


def test_a_share_of_each_layers_input_is_dropped() -> None:
    rows = (
        *layers((1, 1, 2000), normalise="none", drop=0.25),
        *layers((1, 1, 2000), normalise="none", drop=0.5),
    )
    chain = Chain(ChainSettings(layers=rows, **plain(0.0)), 2000, (1, 1), 1.0, "It")
    initialize(chain, generator(0, "weights"))
    with torch.no_grad():
        for place in (0, 1):
            layer_of(chain, place).convolution.weight.copy_(torch.eye(2000)[:, :, None, None])
    ones = torch.ones(1, 2000, 1, 1)
    found = chain(ones, Dropout(0.0, generator(0, "masks")))
    assert (found == 0).float().mean().item() == pytest.approx(1 - 0.75 * 0.5, abs=0.04)
    torch.testing.assert_close(found.unique(), torch.tensor([0.0, 1 / (0.75 * 0.5)]))
    assert torch.equal(chain(ones), ones)


@pytest.mark.parametrize("place", ["pictures", "latents", "joint", "head"])
def test_a_critic_drops_wherever_its_settings_say(place: str) -> None:
    """Of one place alone, and of none without numbers."""

    def rows(name: str) -> Any:
        return layers((1, 1, 16), normalise="none", drop=0.5 * (name == place))

    chains = {
        name: ChainSettings(layers=rows(name), **plain(0.1))
        for name in ("pictures", "latents", "joint")
    }
    head = Head(normalise="none", drop=0.5 * (place == "head"))
    pair = PairCritic(
        PairCriticSettings(head=head, **chains), (2, 1, 1), 3, 0, 1, 0.5
    )  # fmt: skip
    lone = Critic(CriticSettings(pictures=chains["pictures"], head=head), (2, 1, 1), 0.5)
    numbers = generator(0, "x")
    x_BCHW, z_BZ = numbers.normal((5, 2, 1, 1)), numbers.normal((5, 3))
    for critic, seen, drops in (
        (pair, (x_BCHW, z_BZ, None), True),
        (lone, (x_BCHW,), place in ("pictures", "head")),
    ):
        initialize(critic, generator(0, "weights"))
        masks = [Dropout(0.0, generator(0, "masks", number)) for number in (0, 0, 1)]
        one, same, other = (critic(*seen, dropout) for dropout in masks)
        assert torch.equal(one, same)
        assert torch.equal(one, other) == (not drops) == torch.equal(one, critic(*seen))


def test_labels_of_two_classes_are_a_number_and_others_are_one_of_many() -> None:
    embedding = Embedding({"digit": 3, "slanted": 2}, 5, 0.3)
    initialize(embedding, generator(0, "weights"))
    with torch.no_grad():
        assert embedding.linear.bias is not None
        embedding.linear.bias.copy_(generator(0, "bias").normal((5,)))
    found = embedding({"digit": torch.tensor([2, 0]), "slanted": torch.tensor([0, 1])})
    values = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 1]])
    wanted = functional.linear(values, embedding.linear.weight.flatten(1), embedding.linear.bias)
    torch.testing.assert_close(found[:, :, 0, 0], wanted)


def run(rows: Any, inputs: int, size: tuple[int, int]) -> Chain:
    return Chain(ChainSettings(layers=rows, **plain(0.1)), inputs, size, 0.1, "The encoder")


def test_a_chain_that_does_not_fit_is_refused_with_its_sizes() -> None:
    with pytest.raises(UserError, match=r"^The encoder comes to maps of 3 x 5, .* 4 x 4 has no"):
        run(layers((2, 1, 4), (4, 1, 4)), 1, (4, 6))
    chain = run(layers((3, 2, 4), (2, 1, 4)), 1, (9, 11))
    with pytest.raises(UserError, match=r"has maps of 9 x 11, 4 x 5, 3 x 4, and must end at 1 x 1"):
        chain.require_end((1, 1))
    chain.require_end((3, 4))


def test_channels_that_are_no_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="Layer 2 has 7 channels, which are no pieces of 2"):
        ChainSettings(layers=layers((1, 1, 4), (1, 1, 7)), **maxout(2))
