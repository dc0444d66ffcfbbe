"""Tiers that know nothing of each other: neither codes, decoder nor gradient."""

from typing import Any

import torch

from foreframe.autoencoders import separate_tiers, vqvae2
from foreframe.models import Shape
from foreframe.randomness import generator
from tests.foreframe.autoencoders import small, test_vqvae2
from tests.foreframe.data import seen

TINY = test_vqvae2.TINY


def settings(**changes: Any) -> separate_tiers.Settings:
    known = test_vqvae2.settings().model_dump() | {"kind": "separate_tiers"}
    return separate_tiers.Settings(**(known | changes))


def tiny(**changes: Any) -> separate_tiers.SeparateTiers:
    sizes = {"width": 16, "residual_width": 8, "code_dim": 8, "view": seen.view()}
    model = separate_tiers.build(settings(**(sizes | changes)), TINY)
    model.initialize(generator(0, "weights"))
    return model


def clips() -> torch.Tensor:
    return generator(0, "clips").uniform((2, 3, 2, 32, 32))


def test_grids_are_those_of_a_vqvae2() -> None:
    shape = Shape(channels=3, frames=1, height=256, width=256)
    for halvings in (1, 2, 3):
        changes = {"top_halvings": halvings}
        with torch.device("meta"):
            model = separate_tiers.build(settings(**changes), shape)
            found = model.encode(shape.clip())
            assert model.decode(found).shape == shape.clip().shape
            assert model.decode(found, drop=("bottom",)).shape == shape.clip().shape
        assert {level: ids.shape[1:] for level, ids in found.items()} == model.grids()
        assert model.grids() == vqvae2.build(test_vqvae2.settings(**changes), shape).grids()


def test_each_decoder_sees_its_own_codes_alone() -> None:
    model = tiny(codebook_init="normal").eval()
    codes = model.encode(clips())
    other = {level: (ids + 1) % 512 for level, ids in codes.items()}
    fine, coarse = model.decode(codes), model.decode(codes, drop=("bottom",))
    assert torch.equal(model.decode(codes | {"top": other["top"]}), fine)
    assert torch.equal(model.decode(codes | {"bottom": other["bottom"]}, ("bottom",)), coarse)
    assert not torch.equal(model.decode(codes | {"bottom": other["bottom"]}), fine)
    assert not torch.equal(model.decode(codes | {"top": other["top"]}, ("bottom",)), coarse)


def test_both_tiers_are_trained_and_neither_through_the_other() -> None:
    model = tiny()
    found = small.loss(model, clips(), "step", 0)
    found["reconstruction"].backward(retain_graph=True)
    moved = {
        name.partition(".")[0] for name, each in model.named_parameters() if each.grad is not None
    }
    assert moved == {"bottom_encoder", "bottom_projection", "decoder"}
    found["loss"].backward()
    assert all(each.grad is not None for each in model.parameters())


def test_learns_one_batch_by_heart() -> None:
    sizes = {"top": 32, "bottom": 32}
    model = tiny(codebook_sizes=sizes, restart_threshold=0.1)
    losses = small.learned(model, 60)
    for name in ("reconstruction", "reconstruction_top"):
        assert losses[-1][name] < 0.4 * losses[0][name], name
