"""Critics of clips: their equations, which frames a score sees, classes, and the loss."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks import video_critics
from foreframe.networks.initialization import initialize
from foreframe.networks.video_critics import Block, ClipCritics, FrameScores, lowered, picked
from foreframe.randomness import generator
from tests.foreframe.predictors import cascades

ROWS, FRAMES, SIDE = 3, 6, 16


def ready(layer: Any) -> Any:
    """Return a network with drawn weights, in double precision."""
    initialize(layer, generator(0, "weights"))
    return layer.double()


def clips(channels: int = 1, frames: int = FRAMES, side: int = SIDE, name: str = "x") -> Tensor:
    """Return clips (B,C,T,H,W)."""
    return generator(0, name).normal((ROWS, channels, frames, side, side)).double()


def scores(volumes: int = 2, classes: int = 0, side: int = SIDE) -> FrameScores:
    return ready(FrameScores(1, side, (4, 6, 8), volumes=volumes, classes=classes))


@pytest.mark.parametrize("kernel", [(3, 3), (3, 3, 3)])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("outputs", "halves"), [(2, False), (2, True), (4, False)])
def test_a_block_is_its_equation(
    kernel: tuple[int, ...], first: bool, outputs: int, halves: bool
) -> None:
    block: Block = ready(Block((2, outputs), kernel, first=first, halves=halves))
    x_BC = clips(2) if len(kernel) == 3 else clips(2)[:, :, 0]

    def halved(x: Tensor) -> Tensor:
        return (
            (x[..., ::2, :] + x[..., 1::2, :]).unflatten(-1, (-1, 2)).sum(-1) / 4 if halves else x
        )

    inner = block.second(block.first(x_BC if first else x_BC.relu()).relu())
    if outputs == 2 and not halves:
        assert block.shortcut is None
        wanted = inner + x_BC
    else:
        assert block.shortcut is not None
        wanted = halved(inner) + halved(block.shortcut(x_BC))
    torch.testing.assert_close(block(x_BC), wanted)


@pytest.mark.parametrize(("volumes", "reach"), [(0, 0), (2, 4)])
def test_a_frame_is_judged_with_the_neighbours_that_volumes_see(volumes: int, reach: int) -> None:
    critic, x_BTCHW, at = scores(volumes), clips(frames=12).transpose(1, 2), 5
    other = x_BTCHW.clone()
    other[:, at] += 1
    moved = ((critic(x_BTCHW, None) - critic(other, None)).abs() > 1e-9).all(dim=0)
    assert moved.tolist() == [abs(frame - at) <= reach for frame in range(12)]


@pytest.mark.parametrize(("side", "sides"), [(16, [8, 4, 4]), (2, [1, 1, 1]), (6, [3, 3, 3])])
def test_blocks_but_the_last_halve_what_is_even(side: int, sides: list[int]) -> None:
    critic, seen = scores(side=side), []
    for block in critic.blocks:
        block.register_forward_hook(lambda _, given, out: seen.append(out.shape[-1]))
    critic(clips(side=side).transpose(1, 2), None)
    assert seen == sides


def test_a_class_adds_its_vector_times_the_features() -> None:
    critic, x_BTCHW = scores(classes=3), clips().transpose(1, 2)
    features: list[Tensor] = []
    critic.judge.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    found = [critic(x_BTCHW, torch.full((ROWS,), label)) for label in range(3)]
    assert critic.embedding is not None
    vectors_FK = critic.embedding.used()
    plain_XF = features[0]
    for label, values in enumerate(found):
        wanted = critic.judge(plain_XF)[:, 0] + plain_XF @ vectors_FK[:, label]
        torch.testing.assert_close(values.flatten(), wanted)
    assert (plain_XF >= 0).all() and plain_XF.any()


def critics(**changes: Any) -> ClipCritics:
    chosen = cascades.critic(1, 2, 2, **({"matching": True} | changes))
    return ready(ClipCritics(chosen, SIDE, colours=1, below=8, classes=0))


CHOSEN = torch.tensor([[4, 0], [1, 2], [3, 5]])


def test_scores_are_of_seen_frames_of_the_halved_clip_and_of_the_pair() -> None:
    built, x, low = critics(), clips(), clips(frames=3, side=8, name="low")
    seen = torch.stack([row[:, places] for row, places in zip(x, CHOSEN, strict=True)])
    halved = functional.avg_pool3d(x, (1, 2, 2))
    pair = torch.cat([functional.avg_pool3d(x[:, :, ::2], (1, 2, 2)), low], dim=1)
    assert built.matching is not None
    parts = ((built.spatial, seen), (built.temporal, halved), (built.matching, pair))
    wanted = torch.cat([part(clip.transpose(1, 2), None) for part, clip in parts], dim=1)
    assert wanted.shape == (ROWS, 2 + FRAMES + 3)
    torch.testing.assert_close(built(x, low, None, CHOSEN), wanted)
    torch.testing.assert_close(built.matched(x, low, None), wanted[:, -3:])


def test_without_matching_a_clip_is_judged_whatever_is_below_it() -> None:
    built, x = critics(matching=False), clips()
    found = built(x, None, None, CHOSEN)
    assert found.shape == (ROWS, 2 + FRAMES)
    assert torch.equal(built(x, clips(frames=3, side=8), None, CHOSEN), found)


def test_picked_frames_and_their_gradients_are_exact() -> None:
    x_BTCHW = clips().float().transpose(1, 2).requires_grad_()
    wanted = torch.stack([row[places] for row, places in zip(x_BTCHW, CHOSEN, strict=True)])
    found = picked(x_BTCHW, CHOSEN)
    assert torch.equal(found, wanted)
    one, other = (torch.autograd.grad(each.square().sum(), x_BTCHW)[0] for each in (found, wanted))
    assert torch.equal(one, other)


def test_a_lowered_clip_has_every_so_many_frames_and_means_of_blocks() -> None:
    x = clips()
    found = lowered(x, 2, 4)
    assert found.shape == (ROWS, 1, 2, 4, 4)
    wanted = x[:, :, [0, 3]].unflatten(4, (4, 4)).unflatten(3, (4, 4)).mean(dim=(4, 6))
    torch.testing.assert_close(found, wanted)
    # In two steps it is the same.
    torch.testing.assert_close(lowered(lowered(x, 6, 8), 2, 4), found)


def test_the_losses_are_hinges() -> None:
    real, fake = torch.tensor([[2.0, 0.5], [-1.0, 1.0]]), torch.tensor([[-3.0, 0.5]])
    assert video_critics.critic_loss(real, fake).item() == (0 + 0.5 + 2 + 0) / 4 + (0 + 1.5) / 2
    assert video_critics.generator_loss(fake).item() == (3 - 0.5) / 2
