"""A scene's layers are those of the tables; slots draw pictures that masks put together."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from foreframe.errors import UserError
from foreframe.networks import initialization
from foreframe.networks.broadcast_decoder import Rendered, joined, over_steps
from foreframe.networks.noise import Fresh
from foreframe.networks.positions import positions
from foreframe.networks.slot_scene import Convolutions, SceneSettings, SlotScene
from foreframe.randomness import generator

ROWS, SLOTS = 2, 3


def settings(**changes: Any) -> SceneSettings:
    layers = {"width": 4, "layers": 3, "kernel": 3, "scaled": 0}
    known: dict[str, Any] = {"slots": SLOTS, "dim": 5, "iterations": 2, "hidden": 6, "waves": 0}
    return SceneSettings(**(known | {"encoder": layers, "decoder": layers} | changes))


def scene(rows: int = 8, columns: int = 12, **changes: Any) -> SlotScene:
    built = SlotScene(settings(**changes), (3, rows, columns), "vim")
    initialization.initialize(built, generator(0, "weights"))
    return built


def convolution(inputs: int, outputs: int, kernel: int = 5) -> int:
    return kernel * kernel * inputs * outputs + outputs


def test_the_weights_are_those_of_tables_8_1_and_8_2() -> None:
    layers = {"width": 64, "kernel": 5, "scaled": 0}
    built = SlotScene(
        settings(
            slots=4, dim=64, iterations=3, hidden=128, waves=0,
            encoder=layers | {"layers": 4}, decoder=layers | {"layers": 3},
        ),
        (3, 32, 32),
        "vim",
    )  # fmt: skip
    positions = 4 * 64 + 64
    linear = 64 * 64 + 64
    encoder = convolution(3, 64) + 3 * convolution(64, 64) + positions + 2 * 64 + 2 * linear
    decoder = positions + 3 * convolution(64, 64) + convolution(64, 4)
    counts = [sum(p.numel() for p in part.parameters()) for part in (built.encoder, built.decoder)]
    assert counts == [encoder, decoder] == [321_024, 314_116]


@pytest.mark.parametrize("scaled", [0, 1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_frames_are_halved_and_doubled_back(scaled: int, kernel: int) -> None:
    layers = {"width": 4, "layers": 3, "kernel": kernel, "scaled": scaled}
    built = scene(encoder=layers, decoder=layers)
    features = built.features(torch.zeros(ROWS, 3, 2, 8, 12))
    assert features.shape == (ROWS, 2, 8 * 12 // 4**scaled, 4)
    shown = built.decoder(torch.zeros(ROWS, SLOTS, 5))
    assert shown.colours.shape == (ROWS, SLOTS, 3, 8, 12)
    assert shown.masks.shape == (ROWS, SLOTS, 8, 12)


def test_a_frame_is_what_slots_show_by_masks_that_add_up_to_1() -> None:
    shown = scene().decoder(generator(0, "slots").normal((ROWS, SLOTS, 5)))
    torch.testing.assert_close(shown.masks.sum(dim=1), torch.ones(ROWS, 8, 12))
    wanted = torch.einsum("bkhw,bkchw->bchw", shown.masks, shown.colours)
    torch.testing.assert_close(shown.frame, wanted)
    assert shown.colours.min() < 0
    bright = torch.einsum("bkhw,bkchw->bkhw", shown.masks, shown.colours.relu())
    torch.testing.assert_close(shown.light, bright)


def test_slots_are_drawn_each_by_itself_and_in_any_order() -> None:
    built, slots = scene(), generator(0, "slots").normal((ROWS, SLOTS, 5))
    shown, order = built.decoder(slots), [2, 0, 1]
    moved = built.decoder(slots[:, order])
    torch.testing.assert_close(moved.colours, shown.colours[:, order])
    torch.testing.assert_close(moved.masks, shown.masks[:, order])
    torch.testing.assert_close(moved.frame, shown.frame)


@pytest.mark.parametrize("waves", [0, 3])
def test_positions_are_a_map_of_places(waves: int) -> None:
    built, x = positions(6, waves), torch.ones(1, 6, 3, 5)
    initialization.initialize(built, generator(0, "weights"))
    y_HW, x_HW = torch.linspace(0, 1, 3)[:, None].expand(3, 5), torch.linspace(0, 1, 5).expand(3, 5)
    told = [y_HW, x_HW, 1 - y_HW, 1 - x_HW]
    for each in range(waves):
        for wave in (torch.sin, torch.cos):
            told += [wave(2**each * math.pi * y_HW), wave(2**each * math.pi * x_HW)]
    linear = built.map
    assert isinstance(linear, nn.Linear)
    wanted = torch.einsum("dp,phw->dhw", linear.weight, torch.stack(told))
    wanted = 1 + wanted + linear.bias[:, None, None]
    torch.testing.assert_close(built(x)[0], wanted)


def test_a_slot_is_a_picture_of_where_it_is_drawn() -> None:
    layers = {"width": 4, "layers": 1, "kernel": 1, "scaled": 0}
    shown = scene(decoder=layers).decoder(torch.zeros(1, 1, 5))
    assert (shown.colours.flatten(2).std(dim=2) > 0).all()


def test_several_steps_are_drawn_as_each_alone() -> None:
    built, slots = scene(), generator(0, "slots").normal((ROWS, 4, SLOTS, 5))
    together = over_steps(built.decoder, slots)
    alone = joined([built.decoder(each) for each in slots.unbind(dim=1)], 1)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other)
    assert isinstance(together, Rendered)
    assert together.frame.shape == (ROWS, 4, 3, 8, 12)


def test_without_noise_a_frame_has_the_same_slots_whatever_is_beside_it() -> None:
    built, x = scene(), generator(0, "x").uniform((ROWS, 3, 1, 8, 12))
    features = built.features(x)[:, 0]
    slots = built.discover(features, None)
    torch.testing.assert_close(built.discover(features[1:], None), slots[1:])
    drawn = built.discover(features, Fresh(generator(1, "noise"), ROWS, features.device))
    assert not torch.allclose(drawn, slots, atol=1e-2)
    apart = (slots[:, 0] - slots[:, 1]).abs().amax(dim=1)
    assert (apart > 1e-3).all()


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_frames_that_cannot_be_halved_are_refused(part: str) -> None:
    changes: dict[str, Any] = {part: {"width": 4, "layers": 3, "kernel": 3, "scaled": 3}}
    with pytest.raises(UserError, match=r"multiples of 8, not 8 x 12\. Change source\.height"):
        scene(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 4}, "kernel is 4; only an odd one"),
        ({"scaled": 4}, "scaled is 4, but there are 3 layers"),
        ({"layers": 0}, "greater than or equal to 1"),
    ],
)
def test_layers_that_do_not_fit_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Convolutions(**({"width": 4, "layers": 3, "kernel": 3, "scaled": 0} | changes))
