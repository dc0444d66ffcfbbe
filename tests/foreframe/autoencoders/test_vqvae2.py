"""VQ-VAE-2 of pictures: the published sizes, and that a frame's codes are of that frame alone."""

from typing import Any

import pytest
import torch
from torch import nn

from foreframe.autoencoders import vqvae2
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.randomness import generator
from tests.foreframe.autoencoders import small
from tests.foreframe.data import seen

PICTURE = Shape(channels=3, frames=1, height=256, width=256)
TINY = Shape(channels=3, frames=2, height=32, width=32)


def settings(**changes: Any) -> vqvae2.Settings:
    left_out = ("residual_layers", "residual_kernel", "codebook_size", "upsampling_init",
                "bottom_sees_top", "bottom_dropout")  # fmt: skip
    shared = {name: value for name, value in small.THESIS.items() if name not in left_out}
    own = {
        "kind": "vqvae2",
        "residual_width": 32,
        "residual_layers": {"top": 2, "bottom": 4},
        "codebook_sizes": {"top": 512, "bottom": 512},
        "top_halvings": 1,
    }
    return vqvae2.Settings(**{**shared, **own, **changes})


def tiny(**changes: Any) -> vqvae2.VQVAE2:
    sizes = {"width": 16, "residual_width": 8, "code_dim": 8}
    model = vqvae2.build(settings(**{**sizes, "view": seen.view(), **changes}), TINY)
    model.initialize(generator(0, "weights"))
    return model


@pytest.mark.parametrize(
    ("top", "bottom", "hidden", "weights"),
    [
        (2, 2, 32, 1_388_867),
        (2, 2, 64, 1_716_803),
        (2, 4, 32, 1_553_347),
        (2, 4, 128, 3_029_059),
        (2, 2, 128, 2_372_675),
    ],
)
def test_number_of_weights(top: int, bottom: int, hidden: int, weights: int) -> None:
    layers = {"top": top, "bottom": bottom}
    with torch.device("meta"):
        model = vqvae2.build(settings(residual_layers=layers, residual_width=hidden), PICTURE)
    assert model.trainable() == weights


def test_convolutions_are_as_many_as_the_thesis_counts() -> None:
    with torch.device("meta"):
        model = vqvae2.build(settings(), PICTURE)
    parts = {
        name: sum(isinstance(part, nn.Conv3d | nn.ConvTranspose3d) for part in module.modules())
        for name, module in model.named_children()
    }
    decoder = parts["top_upsampling"] + parts["decoder"]
    assert (sum(parts.values()) - decoder, decoder) == (25, 12)


@pytest.mark.parametrize(("halvings", "side"), [(1, 32), (2, 16), (3, 8)])
def test_codes_of_a_picture(halvings: int, side: int) -> None:
    with torch.device("meta"):
        model = vqvae2.build(settings(top_halvings=halvings), PICTURE)
        found = model.encode(PICTURE.clip())
        assert model.decode(found).shape == PICTURE.clip().shape
    assert model.grids() == {"top": (1, side, side), "bottom": (1, 64, 64)}
    assert {level: ids.shape[1:] for level, ids in found.items()} == model.grids()
    if halvings == 1:
        assert sum(ids.numel() for ids in found.values()) * 9 == 46_080  # bits of a picture


def test_a_frame_is_coded_by_itself() -> None:
    model = tiny().eval()
    clips = generator(0, "clips").uniform((2, 3, 2, 32, 32))
    with torch.no_grad():
        whole = model.encode(clips)
        for time in range(2):
            alone = model.encode(clips[:, :, time : time + 1])
            for level, ids in alone.items():
                assert torch.equal(ids, whole[level][:, time : time + 1])


def test_levels_have_codebooks_of_their_own_sizes() -> None:
    model = tiny(codebook_sizes={"top": 8, "bottom": 32})
    assert model.codebook_sizes == {"top": 8, "bottom": 32}
    assert [len(model.codebook(level)) for level in model.levels] == [8, 32]


def test_noise_of_the_top_reaches_the_bottom() -> None:
    noise = {"sigma": 3.0, "sigma_is": "deviation", "gaussian": "rounded", "border": "clamp"}
    clips = generator(0, "clips").uniform((2, 3, 2, 32, 32))
    found = []
    for chosen in (noise, noise | {"sigma": 0.0}):
        model = tiny(index_noise=chosen, codebook_init="normal")
        found.append(model.quantize(clips, generator(0, "noise")))
    noisy, clean = found
    # The top's nearest codes are the same; what is decoded of it is not, which the bottom sees.
    assert torch.equal(noisy["top"].ids, clean["top"].ids)
    assert not torch.equal(noisy["top"].vectors, clean["top"].vectors)
    assert not torch.equal(noisy["bottom"].z, clean["bottom"].z)


def test_learns_one_batch_by_heart() -> None:
    model = tiny(codebook_sizes={"top": 32, "bottom": 32}, restart_threshold=0.1)
    losses = small.learned(model, 60)
    assert losses[-1]["loss"] < 0.25 * losses[0]["loss"]


@pytest.mark.parametrize(("height", "halvings"), [(30, 1), (36, 1), (40, 2)])
def test_sizes_that_do_not_fit_are_refused(height: int, halvings: int) -> None:
    shape = Shape(channels=3, frames=1, height=height, width=64)
    step = 4 * 2**halvings
    with pytest.raises(UserError, match=f"vqvae2 .* height are a multiple of {step}, not {height}"):
        vqvae2.build(settings(top_halvings=halvings), shape)
