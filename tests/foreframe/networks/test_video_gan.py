"""Parts of generators of clips: each by its equation, what sees which step, the clip below."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.initialization import initialize
from foreframe.networks.step_norms import Measured, StepNorm
from foreframe.networks.video_gan import (
    Block,
    ConvGRU,
    FrameConvolution,
    Generator,
    Separable,
    Shown,
)
from foreframe.randomness import generator
from tests.foreframe.predictors import cascades

ROWS, STEPS, CHANNELS, SIDE, CONDITION = 2, 4, 3, 4, 5


def ready(layer: Any) -> Any:
    """Return a network with drawn weights and statistics, in double precision and eval mode."""
    initialize(layer, generator(0, "weights"))
    for name, buffer in layer.named_buffers():
        if "running" in name:
            low = 0.5 if name.endswith("running_var") else -0.5
            buffer.copy_(generator(0, "statistics").uniform(buffer.shape, low, low + 1))
    return layer.double().eval()


def clips(channels: int = CHANNELS, steps: int = STEPS, side: int = SIDE) -> Tensor:
    return generator(0, "x", steps, side).normal((ROWS, steps, channels, side, side)).double()


def told() -> Tensor:
    return generator(0, "told").normal((ROWS, CONDITION)).double()


def padded(x_BCHW: Tensor, layer: Any) -> Tensor:
    return functional.conv2d(x_BCHW, layer.used(), layer.bias, padding=1)


def test_a_recurrence_is_its_equation() -> None:
    gru: ConvGRU = ready(ConvGRU(CHANNELS))
    x_BTCHW, h_BCHW, wanted = clips(), clips()[:, 0] * 0, []
    for x_BCHW in x_BTCHW.unbind(dim=1):
        gates = padded(torch.cat([x_BCHW, h_BCHW], dim=1), gru.gates).sigmoid()
        update, reset = gates.chunk(2, dim=1)
        candidate = padded(torch.cat([x_BCHW, reset * h_BCHW], dim=1), gru.candidate).relu()
        h_BCHW = update * h_BCHW + (1 - update) * candidate
        wanted.append(h_BCHW)
    torch.testing.assert_close(gru(x_BTCHW), torch.stack(wanted, dim=1))


def test_a_separable_convolution_is_one_of_three_axes() -> None:
    layer: Separable = ready(Separable(CHANNELS, 2, bias=True))
    time_OIt, space_PO = layer.time.used()[..., 0], layer.space.used()
    kernel = torch.einsum("pohw,oit->pithw", space_PO, time_OIt)
    x_BCTHW = clips().transpose(1, 2)
    wanted = functional.conv3d(x_BCTHW, kernel, layer.space.bias, padding=1)
    torch.testing.assert_close(layer(clips()), wanted.transpose(1, 2))


def each_frame(layer: Any, x_BTCHW: Tensor) -> Tensor:
    return torch.stack([layer(x_BCHW) for x_BCHW in x_BTCHW.unbind(dim=1)], dim=1)


@pytest.mark.parametrize("doubles", [False, True])
@pytest.mark.parametrize("outputs", [CHANNELS, 2])
@pytest.mark.parametrize("joins", [False, True])
def test_a_block_is_its_equation(doubles: bool, outputs: int, joins: bool) -> None:
    channels = (CHANNELS, outputs)
    block: Block = ready(Block(channels, STEPS, CONDITION, joins=joins, doubles=doubles))

    def larger(x_BTCHW: Tensor) -> Tensor:
        if not doubles:
            return x_BTCHW
        return functional.interpolate(x_BTCHW, scale_factor=(1, 2, 2), mode="nearest")

    x_BTCHW, c_BE = clips(), told()
    inner = block.first(larger(block.norm(x_BTCHW, c_BE).relu()))
    beside = larger(x_BTCHW)
    if doubles or outputs != CHANNELS:
        assert block.shortcut is not None
        beside = each_frame(block.shortcut, beside)
    else:
        assert block.shortcut is None
    wanted = beside + block.second(block.inner_norm(inner, c_BE).relu())
    torch.testing.assert_close(block(x_BTCHW, c_BE), wanted)


@pytest.mark.parametrize("side", [2, 4, 8])
def test_the_clip_below_is_added_by_its_nearest_neighbours(side: int) -> None:
    shown: Shown = ready(Shown(2, CHANNELS))
    low_BtCHW, x_BTCHW = clips(2, 2, 8), clips(side=side)
    size = (STEPS, side, side)
    near_BCTHW = functional.interpolate(low_BtCHW.transpose(1, 2), size=size, mode="nearest")
    wanted = x_BTCHW + each_frame(shown.layer, near_BCTHW.transpose(1, 2))
    torch.testing.assert_close(shown(x_BTCHW, low_BtCHW), wanted)


def net(below: int = 0, classes: int = 0, size: int = 16, **changes: Any) -> Generator:
    return ready(
        Generator(
            cascades.net(2, 1, **changes),
            size,
            STEPS,
            colours=1,
            noise=CONDITION,
            classes=classes,
            class_width=2 if classes else 0,
            below=below,
        )
    )


@pytest.mark.parametrize("temporal", ["gru", "separable"])
@pytest.mark.parametrize(("size", "sides"), [(16, [4, 8, 16]), (8, [4, 8, 8])])
def test_a_unit_doubles_in_its_second_block_and_the_last_one_may_keep_the_size(
    temporal: str, size: int, sides: list[int]
) -> None:
    built, seen = net(size=size, temporal=temporal), []
    for block in built.modules():
        if isinstance(block, Block) and isinstance(block.second, FrameConvolution):
            block.register_forward_hook(lambda _, given, out: seen.append(out.shape[2:]))
    x_BCTHW = built(told(), None, STEPS, None)
    assert x_BCTHW.shape == (ROWS, 1, STEPS, size, size)
    assert -1 <= x_BCTHW.min() < 0 < x_BCTHW.max() <= 1
    wanted = [(6, sides[0]), (6, sides[1]), (3, sides[1]), (3, sides[2])]
    assert [(channels, side) for channels, side, _ in seen] == wanted


@pytest.mark.parametrize("temporal", ["gru", "separable"])
def test_the_clip_below_is_shown_after_every_block_that_is_not_larger(temporal: str) -> None:
    built = net(below=8, temporal=temporal)
    low_BCtHW, seen = clips(1, 2, 8).transpose(1, 2), []
    for part in built.modules():
        if isinstance(part, Shown):
            part.register_forward_hook(lambda _, given, out: seen.append(out.shape[-1]))
    built(told(), None, STEPS, low_BCtHW)
    # 4 of the joining part, a block, a doubling one; then 8, 8, and 16 without.
    assert seen == [4, 4, 8, 8, 8]


def test_the_noise_the_class_and_the_clip_below_make_the_clip() -> None:
    built, low_BCtHW = net(below=8, classes=3), clips(1, 2, 8).transpose(1, 2)
    label_B = torch.tensor([0, 1])
    made = built(told(), label_B, STEPS, low_BCtHW)
    others = (
        built(told() + 1, label_B, STEPS, low_BCtHW),
        built(told(), label_B + 1, STEPS, low_BCtHW),
        built(told(), label_B, STEPS, low_BCtHW + 1),
    )
    for other in others:
        assert (made - other).abs().flatten(1).amax(dim=1).min() > 1e-3


def known_further(built: nn.Module, frames: int) -> None:
    """Let statistics of more frames be those of the trained ones, and any for the others."""
    for part in built.modules():
        if isinstance(part, StepNorm):
            more = frames - len(part.running_mean)
            numbers = generator(0, "more")
            mean, variance = (
                torch.cat([each, low + numbers.uniform((more, each.shape[1])).double()])
                for each, low in ((part.running_mean, 0.0), (part.running_var, 0.5))
            )
            part.further[frames] = Measured(mean, variance)


def test_a_recurrence_that_runs_longer_begins_with_the_same_frames() -> None:
    built = net(temporal="gru")
    known_further(built, STEPS + 3)
    short, long = (built(told(), None, frames, None) for frames in (STEPS, STEPS + 3))
    torch.testing.assert_close(long[:, :, :STEPS], short)
    moved = (long[:, :, 1:] - long[:, :, :-1]).abs().flatten(3).amax(dim=(0, 1, 3))
    assert moved.min() > 1e-3


def test_convolutions_of_time_see_the_frames_around() -> None:
    """The second unit's two of three steps: the first unit has joined steps before it is shown."""
    frames, at, reach = 24, 6, 2
    built = net(below=8)
    known_further(built, frames)
    low_BCtHW = clips(1, 12, 8).transpose(1, 2)
    other = low_BCtHW.clone()
    other[:, :, at] += 1
    one, another = (built(told(), None, frames, low) for low in (low_BCtHW, other))
    moved = ((one - another).abs().flatten(3).amax(dim=3) > 1e-9).all(dim=0)[0].tolist()
    assert moved == [2 * at - reach <= frame <= 2 * at + 1 + reach for frame in range(frames)]
