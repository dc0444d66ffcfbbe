"""The two-level VQ-VAE: sizes and reach as published, its decoding modes, and that it learns."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe import autoencoders
from foreframe.autoencoders import vqvae
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.randomness import generator
from tests.foreframe.autoencoders.small import (
    SMALL,
    THESIS,
    THESIS_SHAPE,
    loss,
    model,
    moving_stripes,
    settings,
)
from tests.foreframe.training.games import follower


@pytest.mark.parametrize(("side", "count"), [(1, 3_198_339), (3, 5_410_179)])
def test_number_of_weights_at_the_thesis_widths(side: int, count: int) -> None:
    with torch.device("meta"):
        network = autoencoders.build(settings(THESIS, residual_kernel=(side, 3, 3)), THESIS_SHAPE)
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    codebooks = [value for name, value in network.named_buffers() if "codebook" in name]
    assert [tuple(codebook.shape) for codebook in codebooks] == [(512, 64), (512, 64)]


def test_parts_have_the_published_numbers_of_weights() -> None:
    with torch.device("meta"):
        network = autoencoders.build(settings(THESIS), THESIS_SHAPE)
    counts = {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in network.named_children()
    }
    assert counts["bottom_encoder"] == 508_992
    assert counts["top_encoder"] == 1_459_264
    assert counts["bottom_projection"] + counts["top_projection"] == 16_512
    assert counts["top_upsampling"] == 262_208
    assert counts["decoder"] == 951_363


def test_shape_of_every_step_at_the_thesis_size() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        network = vqvae.build(settings(THESIS), THESIS_SHAPE)
        for name, part in network.named_modules():
            part.register_forward_hook(
                lambda _, __, output, name=name: shapes.update({name: _shape(output)})
            )
        values = loss(network, torch.empty(2, 3, 16, 256, 256))
    assert {name: shapes[name] for name in STEPS} == STEPS
    assert values["loss"].shape == values["reconstruction"].shape == ()
    assert values["codes_top"].shape == (512,)


STEPS = {
    "bottom_encoder.0": (2, 128, 8, 64, 64),
    "bottom_encoder.1": (2, 128, 8, 64, 64),
    "bottom_projection": (2, 64, 8, 64, 64),
    "bottom_quantizer": (2, 64, 8, 64, 64),
    "top_encoder.0": (2, 128, 4, 32, 32),
    "top_encoder.1": (2, 128, 4, 32, 32),
    "top_projection": (2, 64, 4, 32, 32),
    "top_quantizer": (2, 64, 4, 32, 32),
    "top_upsampling": (2, 64, 8, 64, 64),
    "decoder.0": (2, 128, 8, 64, 64),
    "decoder.1": (2, 128, 8, 64, 64),
    "decoder.2": (2, 3, 16, 256, 256),
}


def _shape(output: Any) -> tuple[int, ...]:
    return tuple((output if isinstance(output, Tensor) else output.vectors).shape)


@pytest.mark.parametrize("sees_top", [False, True])
def test_grids_are_those_of_the_codes(sees_top: bool) -> None:
    for size in ((16, 64, 64), (8, 40, 24), (4, 8, 8)):
        network = model(Shape(3, *size), bottom_sees_top=sees_top)
        latents = network.encode(torch.randn(1, 3, *size))
        assert list(latents) == ["top", "bottom"]
        found = {level: tuple(ids.shape[1:]) for level, ids in latents.items()}
        assert found == network.grids()
        assert network.decode(latents).shape == (1, 3, *size)


@pytest.mark.parametrize("size", [(6, 64, 64), (16, 60, 64), (16, 64, 4), (0, 8, 8)])
def test_sizes_that_do_not_fit_are_refused(size: tuple[int, int, int]) -> None:
    with pytest.raises(UserError, match="multiple of"):
        model(Shape(3, *size))


def test_a_grey_view_is_reconstructed_in_grey() -> None:
    network = model(Shape(1, 8, 32, 32))
    assert network.reconstruct(moving_stripes(2)[:, :1]).shape == (2, 1, 8, 32, 32)


def test_reach_of_a_code() -> None:
    tiny = settings(THESIS, width=1, residual_width=1, code_dim=1, codebook_size=2)
    network = vqvae.build(tiny, THESIS_SHAPE)
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.1)  # all positive, so that no ReLU hides a path
    clip = torch.ones(1, 3, 16, 256, 256, dtype=torch.float64, requires_grad=True)
    features, top = network.double()._features(clip)
    bottom = network.bottom_projection(features)
    assert _reach(bottom[0, 0, 3, 32, 32], clip) == ((5, 8), 48, 48)
    assert _reach(top[0, 0, 2, 16, 16], clip) == ((5, 14), 140, 140)
    # Not causal: the second top code-frame draws on frames up to the eleventh.
    assert _reach(top[0, 0, 1, 16, 16], clip)[0] == (1, 10)


def _reach(output: Tensor, clip: Tensor) -> tuple[tuple[int, int], int, int]:
    (gradient,) = torch.autograd.grad(output, clip, retain_graph=True)
    reached = gradient[0, 0].nonzero()
    first, last = reached.amin(0).tolist(), reached.amax(0).tolist()
    return (first[0], last[0]), last[1] - first[1] + 1, last[2] - first[2] + 1


@pytest.mark.parametrize("sees_top", [False, True])
def test_reconstruction_is_the_decode_of_the_codes(sees_top: bool) -> None:
    network = model(bottom_sees_top=sees_top).eval()
    clips = moving_stripes(3)
    latents = network.encode(clips)
    quantized = network.quantize(clips, generator(0))
    top, bottom = quantized["top"], quantized["bottom"]
    assert torch.equal(latents["top"], top.ids)
    assert torch.equal(latents["bottom"], bottom.ids)
    direct = network.decode_vectors(top.vectors, bottom.vectors)
    assert torch.equal(network.decode(latents), direct)
    assert torch.equal(network.reconstruct(clips), direct)
    error = loss(network, clips)["reconstruction"]
    torch.testing.assert_close(error, (direct - clips).square().mean())


def test_dropping_a_level_zeroes_its_vectors() -> None:
    network = model()
    latents = network.encode(moving_stripes(2))
    top = network.top_quantizer.vectors(latents["top"])
    bottom = network.bottom_quantizer.vectors(latents["bottom"])
    for drop, expected in (
        ({"bottom"}, network.decode_vectors(top, torch.zeros_like(bottom))),
        ({"top"}, network.decode_vectors(torch.zeros_like(top), bottom)),
        (set(), network.decode_vectors(top, bottom)),
    ):
        assert torch.equal(network.decode(latents, drop=drop), expected)
    everything = network.decode(latents, drop={"top", "bottom"})
    assert torch.equal(everything[0], everything[1])


def test_bottom_sees_top_only_when_asked() -> None:
    clips = moving_stripes(1)
    for sees_top in (False, True):
        network = model(bottom_sees_top=sees_top).eval()
        before = network.quantize(clips, generator(0))["bottom"]
        network.top_quantizer.codebook.add_(3.0)
        after = network.quantize(clips, generator(0))["bottom"]
        assert torch.equal(before.commitment, after.commitment) != sees_top


@pytest.mark.parametrize("beta", [0.25, 0.75])
def test_loss_is_the_sum_of_its_parts(beta: float) -> None:
    values = loss(model(commitment=beta).eval(), moving_stripes(2))
    commitment = values["commitment_top"] + values["commitment_bottom"]
    torch.testing.assert_close(values["loss"], values["reconstruction"] + beta * commitment)
    assert values["codes_top"].sum() == 2 * 2 * 4 * 4
    assert values["codes_bottom"].sum() == 2 * 4 * 8 * 8


def test_dropped_clips_are_decoded_from_the_top_alone_and_only_in_training() -> None:
    clips = moving_stripes(4)
    network = model(bottom_dropout=0.5).eval()
    with torch.no_grad():
        latents = network.encode(clips)
        whole, top_only = (network.decode(latents, drop) for drop in ((), ("bottom",)))
        in_eval = loss(network, clips)["reconstruction"]
        in_training = loss(network.train(), clips, "step")["reconstruction"]
    assert torch.allclose(in_eval, (whole - clips).square().mean())
    # The quantisers draw for their restarts first, so only the set of possible results is known.
    errors_B2 = torch.stack([whole, top_only], 1).sub(clips[:, None]).square().flatten(2).mean(2)
    possible = [torch.stack(choice).mean() for choice in itertools.product(*errors_B2)]
    assert any(torch.allclose(in_training, error) for error in possible[1:])


def test_transposed_convolutions_start_as_torch_draws_them_or_rescaled() -> None:
    drawn, rescaled = (model(upsampling_init=name) for name in ("default", "rescaled"))
    # From O x kernel to I x 8 inputs of an output: 8 to 8 of 4 x 4 x 4, 16 to 3 of 4 x 8 x 8.
    factors = {"top_upsampling.weight": 8**0.5, "decoder.2.weight": 6**0.5}
    for name, weight in rescaled.state_dict().items():
        torch.testing.assert_close(weight, drawn.state_dict()[name] * factors.get(name, 1.0))
    largest = drawn.top_upsampling.weight.abs().max().item()
    assert largest == pytest.approx((8 * 4**3) ** -0.5, rel=0.01)


def test_learns_one_batch_by_heart() -> None:
    network = model()
    clips = moving_stripes(2)
    follow = follower(network, learning_rate=0.003, clip=1.0)
    for step in range(150):
        values = loss(network, clips, "step", step)
        follow(values["loss"])
    network.eval()
    assert loss(network, clips)["reconstruction"] < 0.1 * clips.square().mean()


def test_restarts_keep_both_codebooks_in_use() -> None:
    shares = {}
    for threshold in (0.0, 0.5):
        # Bottoms are dropped: else they suffice, and the top's vectors all come to one point.
        network = model(restart_threshold=threshold, ema_decay=0.95, bottom_dropout=0.5)
        follow = follower(network, learning_rate=0.001, clip=1.0)
        for step in range(80):
            clips = moving_stripes(64)[step % 16 * 4 :][:4]
            values = loss(network, clips, "step", step)
            follow(values["loss"])
        counts = [loss(network.eval(), moving_stripes(64))[f"codes_{level}"] for level in LEVELS]
        shares[threshold] = [(count > 0).float().mean().item() for count in counts]
    assert min(shares[0.5]) >= 0.5
    assert max(shares[0.0]) < 0.5


LEVELS = ("top", "bottom")


def test_loss_is_finite_in_bfloat16() -> None:
    network = model()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = loss(network, moving_stripes(2))
    values["loss"].backward()
    assert values["loss"].dtype == torch.float32
    assert values["loss"].isfinite()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"residual_kernel": (1, 2, 3)}, "odd"),
        ({"codebook_size": 40_000}, "32768"),
        ({"ema_decay": 1.0}, "less than 1"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        settings(SMALL, **change)
