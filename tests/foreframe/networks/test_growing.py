"""Pairs that grow: how a scale fades in, who sees the condition, how large they are."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from foreframe.networks import growing
from foreframe.networks.growing import Critic, Generator, Growth, Network, shrink
from foreframe.networks.pooling import enlarge
from foreframe.randomness import generator
from tests.foreframe.priors import grey_maps

THREE = {"channels": (16, 8, 4), "attention": 8}
TOLD: dict[str, Any] = {**THREE, "condition": {"channels": 4, "layers": 2}}


def normal(*shape: int) -> Tensor:
    return generator(0, "x").normal(shape)


def halves(**changes: Any) -> tuple[Generator, Critic]:
    network = grey_maps.network(**changes)
    pair = Generator(network), Critic(network)
    for half in pair:
        grey_maps.loud(half)
    return pair


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("changes", [THREE, TOLD])
def test_a_scale_fades_in_from_the_one_before(scale: int, changes: dict[str, Any]) -> None:
    made, judge = halves(**changes)
    side = 4 * 2**scale
    noise, maps = normal(3, 6), normal(3, 1, side, side)
    above = normal(3, 1, 8, 8) if changes is TOLD else None
    old, both, new = (Growth(scale, fade) for fade in (1.0, 0.25, 0.0))
    before = Growth(scale - 1, 0.0)
    # Wholly faded out, the new scale's parts have no say; a quarter is a quarter.
    assert torch.equal(made(noise, above, old), enlarge(made(noise, above, before)))
    blend = 0.25 * made(noise, above, old) + 0.75 * made(noise, above, new)
    torch.testing.assert_close(made(noise, above, both), blend)
    halved = functional.avg_pool2d(maps, 2)
    assert torch.equal(judge(maps, above, old), judge(halved, above, before))
    assert not torch.equal(judge(maps, above, both), judge(maps, above, new))
    assert not torch.equal(judge(maps, above, both), judge(maps, above, old))


def test_a_pair_that_has_grown_does_without_the_heads_of_before() -> None:
    made, judge = halves(**THREE)
    noise, maps, whole = normal(3, 6), normal(3, 1, 16, 16), Growth(2, 0.0)
    before = made(noise, None, whole), judge(maps, None, whole)
    with torch.no_grad():
        for part in (*made.heads[:2], *judge.tails[:2]):
            for weight in part.parameters():
                weight.fill_(torch.nan)
    assert torch.equal(made(noise, None, whole), before[0])
    assert torch.equal(judge(maps, None, whole), before[1])


def test_true_maps_are_averaged_down_and_blended_as_made_ones_are() -> None:
    maps = normal(2, 1, 16, 16)
    assert torch.equal(shrink(maps, 2, Growth(2, 0.0)), maps)
    for scale in (0, 1):
        block = 2 ** (2 - scale)
        blocks = maps.unfold(2, block, block).unfold(3, block, block)
        torch.testing.assert_close(shrink(maps, 2, Growth(scale, 0.0)), blocks.mean(dim=(4, 5)))
    small, half = (shrink(maps, 2, Growth(1, fade)) for fade in (0.0, 1.0))
    torch.testing.assert_close(half, enlarge(shrink(maps, 2, Growth(0, 0.0))))
    both = shrink(maps, 2, Growth(1, 0.25))
    torch.testing.assert_close(both, 0.25 * half + 0.75 * small)


@pytest.mark.parametrize("side", [4, 8, 16, 32])
def test_every_scale_of_both_sees_the_condition_whatever_its_size(side: int) -> None:
    made, judge = halves(**TOLD)
    above = normal(3, 1, side, side)
    other = above.clone()
    other[1] += 1
    for scale in (0, 1, 2):
        growth = Growth(scale, 0.0)
        noise, maps = normal(3, 6), normal(3, 1, 4 * 2**scale, 4 * 2**scale)
        changed = (made(noise, above, growth) - made(noise, other, growth)).abs().amax((1, 2, 3))
        assert (changed > 0).tolist() == [False, True, False]
        assert not torch.equal(judge(maps, above, growth), judge(maps, other, growth))
        for half, x in ((made, noise), (judge, maps)):
            # Each stack sees it by itself: its own weights of it have a gradient.
            told = [stack.get_parameter("told.weight") for stack in half.stacks[: scale + 1]]
            grads = torch.autograd.grad(half(x, above, growth).square().sum(), told)
            assert all(found.abs().max() > 0 for found in grads)


@pytest.mark.parametrize("changes", [THREE, TOLD, {**THREE, "deviation_group": None}])
def test_the_critics_gradient_can_be_differentiated_and_repeats(changes: dict[str, Any]) -> None:
    _, judge = halves(**changes)
    judge = judge.double()
    above = normal(3, 1, 8, 8).double() if changes is TOLD else None
    maps = normal(3, 1, 16, 16).double().requires_grad_()
    weight = judge.tails[2].get_parameter("weight")

    def slopes() -> tuple[Tensor, Tensor]:
        score = judge(maps, above, Growth(2, 0.5)).sum()
        (slope,) = torch.autograd.grad(score, maps, create_graph=True)
        length = slope.square().sum()
        return length, torch.autograd.grad(length, weight)[0]

    length, found = slopes()
    assert torch.equal(slopes()[1], found)
    with torch.no_grad():
        # Of the scale's first convolution, against a difference; LeakyReLUs make it only near.
        weight[0] += 1e-7
    changed = (slopes()[0] - length) / 1e-7
    assert changed.item() == pytest.approx(found[0].item(), rel=1e-3)


def table(*channels: int, **changes: Any) -> Network:
    known: dict[str, Any] = {"noise": 512, "channels": channels, "residual_layers": 4}
    known |= {"attention": None, "condition": None, "equalised": True, "deviation_group": 4}
    return Network(**{**known, **changes})


# Coppock 2020, Table 6.3, with all heads: convolutions (9 in out + out), 1x1 heads, linear layers.
@pytest.mark.parametrize(
    ("network", "generating", "judging"),
    [
        (table(512, 256, 64, 32), 19_893_316, 19_892_097),
        (table(512, 256, 64, 32, 16), 19_907_237, 19_906_049),
        # Four matrices of 32 x 4, and gamma.
        (table(512, 256, 64, 32, attention=32), 19_893_316 + 513, 19_892_097 + 513),
    ],
)
def test_sizes_of_the_thesis(network: Network, generating: int, judging: int) -> None:
    with torch.device("meta"):
        sizes = [
            sum(weight.numel() for weight in half.parameters())
            for half in (Generator(network), Critic(network))
        ]
    assert sizes == [generating, judging]


def test_what_a_condition_adds_to_either_half() -> None:
    """A reader, a 1x1 convolution for each scale, and twice the inputs of its first layer."""
    channels, width, layers = (512, 256, 64, 32, 16), 64, 4
    told = table(*channels, condition={"channels": width, "layers": layers})
    reader = (9 + 1) * width + layers * (9 * width * width + width + 18 * width * width + 2 * width)
    added = reader + sum(width * each + each + 9 * each * each for each in channels)
    with torch.device("meta"):
        for half in (Generator, Critic):
            sizes = [
                sum(weight.numel() for weight in half(each).parameters())
                for each in (told, table(*channels))
            ]
            assert sizes[0] - sizes[1] == added
    assert added == 3_498_480


def test_attention_is_at_the_side_that_is_named() -> None:
    assert table(8, 4, attention=8).attended == 1
    assert table(8, 4, attention=4).attended == 0
    for half in halves(**THREE):
        assert half.attention is not None
        with torch.no_grad():
            half.attention.gamma.fill_(torch.nan)
    made, judge = halves(**THREE)[0], halves(**THREE)[1]
    for scale, seen in ((0, False), (1, True), (2, True)):
        growth = Growth(scale, 0.0)
        for half, x in ((made, normal(2, 6)), (judge, normal(2, 1, 4 * 2**scale, 4 * 2**scale))):
            assert half.attention is not None
            (found,) = torch.autograd.grad(
                half(x, None, growth).sum(), half.attention.gamma, allow_unused=True
            )
            assert (found is not None) == seen


def test_attention_at_a_side_that_no_scale_has_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"attention is 32.*4, 8\. Name one of them"):
        table(8, 4, attention=32)
    assert growing.FIRST == 4
