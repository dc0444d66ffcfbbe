"""The pyramid up from a frame, and the network that comes down it."""

import pytest
import torch
from torch import nn

from foreframe.networks.initialization import initialize
from foreframe.networks.pyramids import Conditioner, Convolution, Extractor, Kind
from foreframe.randomness import generator

KINDS: tuple[Kind, ...] = ("vgg", "dcgan")
WIDTHS, MAPS = (4, 6, 8), (3, 5, 7)
LOWEST = (2, 9, 2, 3)  # of frames of 16 x 24


def conditioner(kind: Kind, skips: tuple[int, ...] = ()) -> Conditioner:
    network = Conditioner(kind, LOWEST[1], MAPS, skips).eval()
    initialize(network, generator(0, "weights"))
    return network


def skips_of() -> list[torch.Tensor]:
    return [
        generator(0, "skips", level).normal((2, width, 16 >> level, 24 >> level))
        for level, width in enumerate(WIDTHS, start=1)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_levels_are_halved_and_come_back(kind: Kind) -> None:
    extractor = Extractor(kind, 3, WIDTHS).eval()
    initialize(extractor, generator(0, "weights"))
    found = extractor(generator(0, "x").normal((2, 3, 16, 24)))
    sizes = [(8, 12), (4, 6), (2, 3)]
    assert [tuple(each.shape) for each in found] == [
        (2, width, *size) for width, size in zip(WIDTHS, sizes, strict=True)
    ]
    maps = conditioner(kind, WIDTHS)(generator(0, "h").normal(LOWEST), found)
    assert [tuple(each.shape) for each in maps] == [
        (2, width, *size) for width, size in zip(MAPS, sizes, strict=True)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_feature_reaches_its_own_level_and_those_below_it_alone(kind: Kind) -> None:
    network, h, skips = conditioner(kind, WIDTHS), generator(0, "h").normal(LOWEST), skips_of()
    before = network(h, skips)
    for level in range(3):
        changed = [each + (place == level) for place, each in enumerate(skips)]
        after = network(h, changed)
        moved = [not torch.equal(one, other) for one, other in zip(before, after, strict=True)]
        # The way goes from the last level to the first.
        assert moved == [place <= level for place in range(3)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_lowest_picture_reaches_every_level(kind: Kind) -> None:
    network, h = conditioner(kind), generator(0, "h").normal(LOWEST)
    for one, other in zip(network(h, ()), network(h + 1, ()), strict=True):
        assert not torch.equal(one, other)


def test_the_halving_is_that_of_the_kind() -> None:
    pooled, strided = (Extractor(kind, 1, (4,)) for kind in KINDS)
    strides = [
        {each.stride for each in network.modules() if isinstance(each, nn.Conv2d)}
        for network in (pooled, strided)
    ]
    assert strides == [{(1, 1)}, {(1, 1), (2, 2)}]
    x = torch.zeros(1, 1, 4, 4)
    assert pooled(x)[0].shape == strided(x)[0].shape


def test_what_is_loud_anywhere_in_a_block_is_pooled() -> None:
    # After pooling by maxima a shift inside the blocks of 2 x 2 changes nothing.
    extractor = Extractor("vgg", 1, (2,)).eval()
    with torch.no_grad():
        for name, parameter in extractor.named_parameters():
            parameter.zero_()
            if name.endswith("1.weight"):
                parameter.fill_(1)
            elif parameter.dim() == 4:
                parameter[:, :, 1, 1] = 1  # each convolution passes its input on
    x = torch.zeros(1, 1, 8, 8)
    x[..., 2, 4] = 1
    shifted = x.roll((1, 1), (-2, -1))
    assert torch.equal(extractor(x)[0], extractor(shifted)[0])
    assert not torch.equal(extractor(x)[0], extractor(x.roll(2, -1))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_block_has_a_convolution_more_of_half_its_width(kind: Kind) -> None:
    pairs = [(3, 16), (16, 16), (16, 32), (32, 32), (32, 64)]  # channels in and out of each
    wanted = sum(9 * inputs * outputs + 2 * outputs for inputs, outputs in pairs)
    extractor = Extractor(kind, 3, (32, 64))
    assert sum(parameter.numel() for parameter in extractor.parameters()) == wanted


def test_what_is_below_0_passes_at_a_fifth() -> None:
    convolution = Convolution(1, 1).eval()
    with torch.no_grad():
        weight = next(convolution.parameters())
        weight.zero_()
        weight[0, 0, 1, 1] = 1
    x = torch.tensor([-2.0, 3.0]).view(1, 1, 1, 2)
    wanted = torch.tensor([-0.4, 3.0]).view(1, 1, 1, 2)
    torch.testing.assert_close(convolution(x), wanted, rtol=1e-4, atol=0)
