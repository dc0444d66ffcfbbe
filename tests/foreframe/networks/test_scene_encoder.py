"""Pictures become scenes: sizes of the document's tables, slots as a set, the background apart."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks import initialization
from foreframe.networks.noise import Fresh
from foreframe.networks.scene_encoder import ConditionalNorm, SceneEncoder, SceneEncoderSettings
from foreframe.networks.scene_upscaler import Upscaler
from foreframe.randomness import generator
from tests.foreframe.networks.scenes import REACH

ROWS, SLOTS, SIDE, DIM = 3, 2, 8, 6


def settings(**changes: Any) -> SceneEncoderSettings:
    known: dict[str, Any] = {"slots": SLOTS, "dim": DIM, "iterations": 2, "hidden": 5, "waves": 0}
    known |= {"shape": 4, "appearance": 3, "pose_hidden": 7, "code_hidden": 6}
    known |= {"convolutions": {"width": 5, "layers": 2, "kernel": 3, "scaled": 0}}
    return SceneEncoderSettings(**(known | changes))


def encoder(**changes: Any) -> SceneEncoder:
    built = SceneEncoder(settings(**changes), 3, REACH)
    initialization.initialize(built, generator(0, "weights"))
    return built


def pictures(count: int = ROWS) -> Tensor:
    return generator(0, "pictures").uniform((count, 3, SIDE, SIDE))


def parameters(part: nn.Module) -> int:
    return sum(each.numel() for each in part.parameters())


def test_the_sizes_are_those_of_tables_10_5_to_10_7() -> None:
    with torch.device("meta"):
        convolutions = {"width": 64, "layers": 4, "kernel": 5, "scaled": 0}
        built = SceneEncoder(
            settings(
                slots=5, dim=128, iterations=3, hidden=128, convolutions=convolutions, shape=128,
                appearance=128, code_hidden=128,
            ),
            3,
            REACH,
        )  # fmt: skip

    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    def convolution(inputs: int) -> int:
        return linear(25 * inputs, 64)

    assert parameters(built.features) == convolution(3) + 3 * convolution(64) + linear(4, 64)
    maps, gru = 2 * 64 * 128 + 128 * 128, 2 * 3 * (128 * 128 + 128)
    beginnings, norms = 2 * 2 * 128, 2 * 64 + 2 * 2 * 128
    perceptron = 2 * linear(128, 128)
    assert parameters(built.attention) == maps + gru + beginnings + norms + perceptron
    assert parameters(built.pose) == linear(128, 7) + 2 * 7 + linear(7, 7)
    common = linear(128, 128) + linear(128, 256)
    assert parameters(built.objects) == common + linear(7, 256)
    assert parameters(built.background) == common + 2 * 128


def test_maps_keep_their_size_or_are_halved() -> None:
    for scaled in (0, 1):
        convolutions = {"width": 5, "layers": 2, "kernel": 5, "scaled": scaled}
        masks = encoder(convolutions=convolutions)(pictures(), None).masks
        assert masks.shape == (ROWS, SLOTS + 1, SIDE >> scaled, SIDE >> scaled)
        torch.testing.assert_close(masks.sum(dim=1), torch.ones_like(masks[:, 0]))


def test_a_condition_says_scale_and_shift() -> None:
    norm, x = ConditionalNorm(4, 7), generator(0, "x").normal((2, 3, 4))
    initialization.initialize(norm, generator(0, "weights"))
    condition = generator(0, "condition").normal((2, 3, 7))
    scale, shift = (condition @ norm.map.weight.T + norm.map.bias).split(4, dim=2)
    wanted = functional.layer_norm(x, [4]) * (1 + scale) + shift
    torch.testing.assert_close(norm(x, condition), wanted)
    assert not torch.allclose(norm(x, condition), norm(x, condition.flip(0)))


def test_a_scene_is_one_of_slots_as_a_set_with_a_background_that_is_none_of_them() -> None:
    built = encoder()
    slots, _ = built.slots(pictures(), None)
    assert slots.shape == (ROWS, SLOTS + 1, DIM)
    scene, moved = built.scene(slots), built.scene(slots[:, [1, 0, 2]])
    for one, other in zip(moved.poses, scene.poses, strict=True):
        torch.testing.assert_close(one, other.flip(1))
    torch.testing.assert_close(moved.codes.shape, scene.codes.shape.flip(1))
    assert scene.background is not None and moved.background is not None
    torch.testing.assert_close(moved.background.shape, scene.background.shape)
    assert scene.codes.shape.shape == (ROWS, SLOTS, 4)
    assert scene.codes.appearance.shape == (ROWS, SLOTS, 3)
    assert scene.background.appearance.shape == (ROWS, 3)
    assert scene.present.all()


def test_without_noise_a_picture_has_the_same_scene_whatever_is_beside_it() -> None:
    built, x = encoder(), pictures()
    whole, _ = built.slots(x, None)
    torch.testing.assert_close(built.slots(x[1:], None)[0], whole[1:])
    noise = Fresh(generator(0, "noise"), ROWS, x.device)
    assert not torch.allclose(built.slots(x, noise)[0], whole, atol=1e-3)


def test_the_upscaler_doubles_and_has_the_layers_of_table_10_9() -> None:
    for doublings in (0, 2, 3):
        with torch.device("meta"):
            built = Upscaler(128, 64, doublings, 3)
        first = 9 * 128 * 64 + 64 if doublings else 0
        more = max(0, doublings - 1) * (9 * 64 * 64 + 64)
        last = 9 * (64 if doublings else 128) * 3 + 3
        assert parameters(built) == first + more + last
        shown = built(torch.empty(1, 128, 16, 16, device="meta"))
        assert shown.shape == (1, 3, 16 << doublings, 16 << doublings)
