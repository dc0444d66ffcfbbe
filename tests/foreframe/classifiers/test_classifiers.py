"""What all classifiers promise: their size, that they learn what moves, and what they refuse."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe import classifiers
from foreframe.classifiers import Given
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.clip_trunk import Recurrent, channels_together, convolution
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator
from tests.foreframe.classifiers import small
from tests.foreframe.data import seen
from tests.foreframe.training.games import phase, plan

MOVING = ("conv3d", "conv_lstm", "conv3d_conv_lstm", "relation_network")

# For 20 colour frames of 64x64, or 19 flows, and ten classes.
SPATIAL = (64, 128, 256, 512, 512, 512)
THESIS: dict[str, dict[str, Any]] = {
    "conv3d": {"widths": (64, 128, 256, 256, 512, 512), "kernels": (7, 5, 5, 3, 3, 1)},
    "conv_lstm": {
        "widths": (64, 128, 256, 256, 512, 512),
        "recurrent": (False, False, False, True, False, True),
        "recurrent_norm": True,
    },
    "conv3d_conv_lstm": {
        "widths": (64, 128, 256, 256),
        "kernels": (7, 5, 5, 3),
        "recurrent_widths": (512, 512),
        "recurrent_norm": True,
    },
    "relation_network": {
        "frame_widths": (64, 128, 128),
        "kappa": 3,
        "relation_widths": (256, 256),
        "widths": (64, 128),
        "recurrent_width": 256,
        "recurrent_norm": True,
    },
    "frame": {"kind": "stream", "sees": "frame", "stacked": 1, "widths": SPATIAL},
    "flow": {"kind": "stream", "sees": "flow", "stacked": 10, "widths": SPATIAL},
}


def of_thesis(name: str, frames: int = 20) -> Any:
    """Return a classifier at the size of the thesis, without numbers."""
    changes = {"view": seen.view(frames=frames), **THESIS[name]}
    kind = changes.pop("kind", name)
    shape = Shape(3, frames, 64, 64)
    with torch.device("meta"):
        return classifiers.ROLE.build(
            small.settings(kind, **changes), Given(shape, tuple(map(str, range(10))))
        )


def volumes(channels: list[int], kernels: list[int]) -> int:
    """Return the weights of convolutions of 3x3 and so many frames, each with its normalisation."""
    pairs = zip(pairwise(channels), kernels, strict=True)
    return sum(9 * kernel * low * high + 2 * high for (low, high), kernel in pairs)


def recurrent(inputs: int, width: int, places: int) -> int:
    """Return those of a ConvLSTM: both maps, biases, where it begins, three normalisations."""
    between = 9 if places > 1 else 1
    maps = 4 * width * (9 * inputs + between * width)
    return maps + 4 * width + 2 * width * places + 2 * 4 * width + 2 * width


def pairs(channels: int, widths: list[int]) -> int:
    """Return those of a network of two features of so many channels each."""
    return sum(low * high + high for low, high in pairwise([2 * channels, *widths, 1]))


def test_sizes_are_those_of_the_layers() -> None:
    early = volumes([3, 64, 128, 256, 256], [7, 5, 5, 3])
    wanted = {
        "conv3d": early + volumes([256, 512, 512], [3, 1]) + 10 * (2 * 512 + 1),
        "conv_lstm": volumes([3, 64, 128, 256], [1, 1, 1])
        + recurrent(256, 256, 16)
        + volumes([256, 512], [1])
        + recurrent(512, 512, 1)
        + 10 * 513,
        "conv3d_conv_lstm": early + recurrent(256, 512, 4) + recurrent(512, 512, 1) + 10 * 513,
        "relation_network": volumes([3, 64, 128, 128], [1, 1, 1])
        + pairs(128, [256, 256])
        + volumes([9, 64, 128], [1, 1])
        + recurrent(128, 256, 1)
        + 10 * 257,
    }
    for name, inputs in (("frame", 3), ("flow", 20)):
        doubled = [inputs, *(width for width in SPATIAL for _ in range(2))]
        wanted[name] = volumes(doubled, 12 * [1]) + 10 * 513
    found = {name: of_thesis(name).trainable() for name in THESIS}
    assert found == wanted
    # As docstrings have them.
    assert found == {
        "conv3d": 9_536_714,
        "conv_lstm": 16_781_386,
        "conv3d_conv_lstm": 28_292_298,
        "relation_network": 1_883_147,
        "frame": 14_133_706,
        "flow": 14_143_498,
    }


@pytest.mark.parametrize("name", THESIS)
def test_a_clip_of_the_thesis_s_size_has_a_score_for_each_class(name: str) -> None:
    built = of_thesis(name).eval()
    assert built.logits(built.given.shape.clip()).shape == (1, 10)


@pytest.mark.parametrize("kind", MOVING)
def test_it_learns_which_way_things_go(kind: str, tmp_path: Path) -> None:
    x_BCTHW, labels_B = small.clips()
    built = small.model(kind)
    small.train(built, x_BCTHW, labels_B, tmp_path)
    assert small.error(built, x_BCTHW, labels_B) == 0
    # A clip that is run backwards goes the other way.
    other_B = labels_B + 1 - 2 * (labels_B % 2)
    assert small.error(built, x_BCTHW.flip(2), other_B) <= 0.13


@pytest.mark.parametrize("kind", MOVING)
def test_every_frame_has_an_influence(kind: str) -> None:
    built, (x_BCTHW, _) = small.model(kind).eval(), small.clips(2)
    x_BCTHW.requires_grad_()
    (slope,) = torch.autograd.grad(built.logits(x_BCTHW)[:, 0].sum(), x_BCTHW)
    assert (slope.abs().amax(dim=(0, 1, 3, 4)) > 0).all()


@pytest.mark.parametrize("kind", small.KINDS)
def test_clips_are_independent_of_each_other(kind: str) -> None:
    built, (x_BCTHW, _) = small.model(kind).eval(), small.clips(5)
    with torch.no_grad():
        alone = torch.cat([built.logits(x_BCTHW[row : row + 1]) for row in range(5)])
        torch.testing.assert_close(built.logits(x_BCTHW), alone)


# ------------------------------------------------------------------- layers


def clip(channels: int, frames: int, side: int) -> Tensor:
    return generator(0, "clip").normal((2, channels, frames, side, side))


@pytest.mark.parametrize("side", [8, 7, 1])
def test_a_convolution_of_one_frame_is_that_of_each_frame_by_itself(side: int) -> None:
    layer = convolution(3, 4, 1)
    initialize(layer, generator(0, "weights"))
    layer.eval()
    x_BITHW = clip(3, 5, side)
    found = layer(x_BITHW)
    assert found.shape == (2, 4, 5, (side + 1) // 2, (side + 1) // 2)
    for time in range(5):
        torch.testing.assert_close(
            layer(x_BITHW[:, :, time : time + 1])[:, :, 0], found[:, :, time]
        )


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_may_lie_together_and_stay_so(channels: int) -> None:
    layer = convolution(channels, 4, 3)
    initialize(layer, generator(0, "weights"))
    x_BITHW = clip(channels, 5, 8)
    together_BCTHW = layer(channels_together(x_BITHW))
    torch.testing.assert_close(together_BCTHW, layer(x_BITHW))
    assert together_BCTHW.is_contiguous(memory_format=torch.channels_last_3d)


def test_a_convolution_of_several_frames_sees_no_frame_that_is_not_there() -> None:
    layer = convolution(3, 4, 3).eval()
    initialize(layer, generator(0, "weights"))
    x_BITHW = clip(3, 5, 8)
    found = layer(x_BITHW)
    assert found.shape == (2, 4, 3, 4, 4)
    changed = x_BITHW.clone()
    changed[:, :, 0] += 1
    same = (layer(changed) == found).all(dim=4).all(dim=3).all(dim=1).all(dim=0)
    assert same.tolist() == [False, True, True]


def test_a_recurrent_layer_shows_every_step_and_looks_back_alone() -> None:
    layer = Recurrent(3, 4, (4, 4), normalized=True).eval()
    initialize(layer, generator(0, "weights"))
    x_BITHW = clip(3, 5, 8)
    found = layer(x_BITHW)
    assert found.shape == (2, 4, 5, 4, 4)
    changed = x_BITHW.clone()
    changed[:, :, 2] += 1
    same = (layer(changed) == found).all(dim=4).all(dim=3).all(dim=1).all(dim=0)
    assert same.tolist() == [True, True, False, False, False]


def test_relations_are_seen_of_every_pair_of_neighbours() -> None:
    built, (x_BCTHW, _) = small.model("relation_network").eval(), small.clips(3)
    shown: list[Tensor] = []
    built.layers.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    built.logits(x_BCTHW)
    (flow_BKPHW,) = shown
    assert flow_BKPHW.shape == (3, 9, 5, 4, 4)
    for time in range(5):
        features = built.encoder(x_BCTHW[:, :, time : time + 2]).unbind(dim=2)
        torch.testing.assert_close(built.relation(*features), flow_BKPHW[:, :, time])


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize("kind", small.KINDS)
def test_one_class_alone_is_refused(kind: str) -> None:
    with pytest.raises(UserError, match="The label direction has 1 class, so there is nothing"):
        classifiers.ROLE.build(small.settings(kind), small.given(classes=("right",)))


@pytest.mark.parametrize("kind", MOVING)
def test_frames_that_do_not_end_at_one_place_are_refused_with_the_number_of_layers(
    kind: str,
) -> None:
    said = f"{kind} halves frames 4 times, and of 17 x 17 pixels 2 x 2 places .* Give it 5 layers"
    with pytest.raises(UserError, match=said):
        classifiers.ROLE.build(small.settings(kind), small.given(side=17))


@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize("side", [9, 15])
def test_sizes_between_powers_of_two_are_rounded_up(kind: str, side: int) -> None:
    built: Any = classifiers.ROLE.build(small.settings(kind), small.given(side=side))
    assert built.logits(torch.zeros(2, 1, 6, side, side)).shape == (2, 4)


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    (
        "conv_lstm",
        {"training": plan(phases=(phase(steps=2), phase(steps=2, frames=4)))},
        r"Phase 2 of the training has clips of 4 frames, but view.frames is 6\. Set its frames to",
    ),
    ("conv3d", {"kernels": (3, 3, 3, 1)}, r"takes? 7 frames, since time is never padded\. Set"),
    ("conv3d", {"kernels": (3, 2, 1)}, "There are 3 kernels, but 4 widths"),
    ("conv3d", {"kernels": (1, 2, 2, 1)}, "Let no kernel be larger than the one before"),
    ("conv3d_conv_lstm", {"kernels": (4, 4)}, "but the kernels take 7 frames"),
    ("conv_lstm", {"recurrent": (True, True)}, "speaks of 2 layers, but there are 4 widths"),
    ("conv_lstm", {"recurrent": (True, True, True, False)}, "Set the last of recurrent to true"),
    ("relation_network", {"kappa": 4}, "kappa is 4, but a patch has a middle"),
    ("relation_network", {"view": small.view(frames=1)}, "view.frames is 1, of which there is no"),
    ("stream", {"stacked": 2}, "sees is frame, a single one. Set stacked to 1"),
    ("stream", {"sees": "flow", "stacked": 7}, "view.channels is grey, but a stream of flow"),
    (
        "stream",
        {"sees": "flow", "stacked": 7, "view": small.view(channels="colour")},
        "stacked is 7, but view.frames is 6. Raise",
    ),
    ("stream", {"view": small.view(dequantise=True)}, "view.dequantise is True, but stream"),
    (
        "conv3d",
        {"view": seen.view(**seen.STATES, frames=6)},
        "view.of is states, but conv3d is built for frames. Set it to frames",
    ),
]


@pytest.mark.parametrize(("kind", "changes", "said"), CHANGES)
def test_what_does_not_fit_is_refused(kind: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        small.settings(kind, **changes)
