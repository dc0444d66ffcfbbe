"""RALI: its size, how latents reach frames, what the encoder knows when, and its game."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.networks.clip_features import Level
from foreframe.predictors import Context
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.rali import RALI, Expansion, Raising, Settings, build
from foreframe.randomness import Draws, generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Moment
from foreframe.training.samples import Samples
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.moving import Repeated
from tests.foreframe.training.games import adam, phase, plan
from tests.foreframe.training.runs import setting

OPTIONS = Latents(temperature=1.0)
FRAMES = 5
BOTH = ("generator", "critic")
OF_CLIPS = ("copied", "first", "expanded")
EVERY = ("per_frame", *OF_CLIPS)
EXPANSION = Expansion(widths=(6,), inputs=4)


def levels(*widths: int, recurrent: tuple[int, ...]) -> list[dict[str, Any]]:
    return [
        {"layer": "recurrent" if place in recurrent else "convolution", "width": width}
        for place, width in enumerate(widths)
    ]


def game_plan(**changes: Any) -> Any:
    players = dict.fromkeys(BOTH, adam(learning_rate=0.01, betas=(0.5, 0.999)))
    return plan(**({"players": players, "log_every": 1} | changes))


def settings(latents: str = "expanded", **changes: Any) -> Settings:
    known: dict[str, Any] = {
        "latents": latents,
        "latent_dim": 3,
        "expansion": EXPANSION if latents == "expanded" else None,
        "encoder": tuple(Level(**each) for each in levels(4, 5, recurrent=(1,))),
        "features": 6,
        "decoder": tuple(Raising(**each) for each in levels(5, 4, recurrent=(0,))),
        "recurrent_norm": False,
        "latent_widths": (7, 6),
        "joint_widths": (8, 7),
        "training": game_plan(),
        "view": moving.view(frames=FRAMES),
    }
    return Settings(**moving.common("rali", **(known | changes)))


def model(latents: str = "expanded", **changes: Any) -> RALI:
    built = build(settings(latents, **changes), moving.given())
    moving.drawn(built)
    built.scaling = Scaling(built.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return built


def drawn(built: RALI, rows: int = 4) -> Tensor:
    return generator(0, "z").normal((rows, *built.latent_shape))


def convolution(inputs: int, outputs: int, normalized: bool) -> int:
    """Return the weights of a 4x4 convolution and its batch normalisation, or bias and lengths."""
    return 16 * inputs * outputs + 2 * outputs if normalized else 16 * inputs * outputs + outputs


def cell(inputs: int, outputs: int, side: int, kernel: int = 16) -> int:
    between = 9 if side > 1 else 1
    gates = 4 * outputs
    return kernel * inputs * gates + between * outputs * gates + gates + 2 * outputs * side**2


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def count(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def lengths(module: nn.Module) -> int:
    """Return how many weights are the lengths that weight normalisation takes apart."""
    return sum(
        each.numel()
        for name, each in module.named_parameters()
        if name.endswith("weight.original0")
    )


def test_the_weights_are_those_of_its_layers_for_frames_of_64_rows() -> None:
    chosen = settings(
        latent_dim=128,
        expansion=Expansion(widths=(512,), inputs=512),
        encoder=tuple(Level(**each) for each in levels(64, 128, 256, 256, recurrent=(2,))),
        features=512,
        decoder=tuple(Raising(**each) for each in levels(256, 256, 128, 64, recurrent=(0, 2))),
        latent_widths=(512, 512),
        joint_widths=(1024, 1024),
        view=moving.view(frames=10),
    )
    with torch.device("meta"):
        built = build(chosen, moving.given(64, frames=10))
    top = cell(256, 512, 1)
    encoder = sum(
        [
            convolution(1, 64, True),
            convolution(64, 128, True),
            cell(128, 256, 8),
            convolution(256, 256, True),
            top,
            linear(512, 256),
        ]
    )
    decoder = sum(
        [
            linear(128, 512),
            linear(512, 10 * 512),
            cell(512, 256, 4),
            convolution(256, 256, True),
            cell(256, 128, 16),
            convolution(128, 64, True),
            16 * 64 + 1,
        ]
    )
    critic = sum(
        [
            convolution(1, 64, False),
            convolution(64, 128, False),
            cell(128, 256, 8),
            convolution(256, 256, False),
            top,
            linear(128, 512),
            linear(512, 512),
            linear(512 + 512, 1024),
            linear(1024, 1024),
            linear(1024, 1),
        ]
    )
    assert (count(built.encoder), count(built.decoder)) == (encoder, decoder)
    # A length for each output: of convolutions, input maps, and linear layers.
    outputs = 64 + 128 + 4 * 256 + 256 + 4 * 512 + 512 + 512 + 1024 + 1024 + 1
    assert lengths(built.critic) == outputs
    assert count(built.critic) == critic + outputs
    assert built.trainable() == encoder + decoder + critic + outputs == 50_174_595


@pytest.mark.parametrize("latents", EVERY)
def test_clips_have_the_shape_of_the_view_and_latents_their_own(latents: str) -> None:
    built, x_BCTHW = model(latents), moving.clips()
    z = built.infer(x_BCTHW, {}, Repeated(4))
    shape = (FRAMES, 3) if latents == "per_frame" else (3,)
    assert built.latent_shape == shape
    assert z.shape == built.drawn(Repeated(4)).shape == (4, *shape)
    made = built.made(z, {})
    assert made.shape == x_BCTHW.shape
    assert 0 <= made.min() < made.max() <= 1
    assert built.judge(x_BCTHW, z, {}).shape == (4,)


def test_a_latent_of_a_frame_moves_that_frame_and_later_ones() -> None:
    built = model("per_frame").double()
    z = drawn(built).double()
    for time in range(FRAMES):
        other = z.clone()
        other[:, time] += 1
        moved = (built.made(z, {}) - built.made(other, {})).abs().flatten(3).amax(dim=3) > 1e-9
        assert moved.all(dim=0)[0].tolist() == [frame >= time for frame in range(FRAMES)]


def told(built: RALI, z: Tensor) -> Tensor:
    """Return what the decoder's first level is told, (B,T,I)."""
    seen: list[Tensor] = []
    built.decoder.levels[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    built.made(z, {})
    return seen[0].flatten(2)


def test_a_latent_of_a_clip_is_told_at_every_step_or_at_the_first() -> None:
    z = drawn(model("copied"))
    assert torch.equal(told(model("copied"), z), z[:, None].expand(-1, FRAMES, -1))
    first = told(model("first"), z)
    assert torch.equal(first[:, 0], z)
    assert not first[:, 1:].any()
    assert torch.equal(
        told(model("per_frame"), drawn(model("per_frame"))), drawn(model("per_frame"))
    )


def test_expanded_each_step_has_an_input_of_its_own_made_of_the_whole_latent() -> None:
    built = model("expanded")
    z = drawn(built)
    expansion: Any = built.decoder.expansion
    hidden = expansion[0](z).relu()
    wanted = expansion[2](hidden).view(4, FRAMES, EXPANSION.inputs)
    torch.testing.assert_close(told(built, z), wanted)
    assert (wanted[:, 0] != wanted[:, 1]).all()


@pytest.mark.parametrize("latents", EVERY)
def test_an_inferred_latent_knows_the_frames_so_far_or_the_whole_clip(latents: str) -> None:
    built, x_BCTHW = model(latents).double(), moving.clips().double()
    for time in range(FRAMES):
        one, other = (
            built.encoder(x).view(4, -1, 6) for x in (x_BCTHW, moving.perturbed(x_BCTHW, time))
        )
        moved = ((one - other).abs() > 1e-9).all(dim=2).all(dim=0)
        frames = range(FRAMES) if latents == "per_frame" else [FRAMES]
        assert moved.tolist() == [frame >= time for frame in frames]


def test_latents_are_drawn_from_what_the_encoder_says() -> None:
    built, x_BCTHW, noise = model(), moving.clips(), Repeated(4)
    mean, log_deviation = built.encoder(x_BCTHW).chunk(2, dim=1)
    wanted = mean + log_deviation.exp() * noise.normal("posterior", 0, (3,))
    torch.testing.assert_close(built.infer(x_BCTHW, {}, noise), wanted)


def moment() -> Moment:
    return Moment(0, 20, 0, 0, 20, generator(0, "step"))


@pytest.mark.parametrize("latents", EVERY)
def test_the_game_reaches_every_weight_of_both_players(latents: str) -> None:
    built = model(latents).train()
    game = built.objective()
    losses = game.losses({"x": moving.clips()}, moment(), BOTH)
    names = {id(weight): name for name, weight in built.named_parameters()}
    held = [weight for player in game.players for weight in player.weights()]
    assert {id(weight) for weight in held} == names.keys()
    for player in game.players:
        weights = player.weights()
        found = torch.autograd.grad(
            losses[player.name]["loss"], weights, retain_graph=True, allow_unused=True
        )
        lacking = [names[id(w)] for w, g in zip(weights, found, strict=True) if g is None]
        assert lacking == []


@pytest.mark.parametrize("latents", EVERY)
def test_a_future_is_one_whatever_else_is_asked_for_and_however_long(latents: str) -> None:
    built = model(latents)
    nothing = Context(torch.empty(2, 0, 16, 16, 3, dtype=torch.uint8), [3, 4])
    draws = Draws.each(0, [3, 4], range(5))
    whole = built.predict(nothing, FRAMES, OPTIONS, draws).frames
    assert whole.shape == (10, FRAMES, 16, 16, 3)
    assert len({tuple(each.flatten().tolist()) for each in whole}) == 10
    rows = [7, 0, 3]
    alone = built.predict(nothing, 2, OPTIONS, draws.of(rows)).frames
    assert torch.equal(alone, whole[rows, :2])


@pytest.mark.parametrize("normalized", [False, True])
def test_memories_of_encoder_and_decoder_may_be_normalised(normalized: bool) -> None:
    built = model(recurrent_norm=normalized)
    counts = [
        [type(part).__name__ for part in network.modules()].count("_Small")
        for network in (built.encoder, built.decoder, built.critic)
    ]
    assert counts == ([6, 3, 0] if normalized else [0, 0, 0])


@pytest.mark.parametrize("latents", ["per_frame", "expanded"])
def test_it_learns_what_clips_are_like(latents: str, tmp_path: Path) -> None:
    """The mean distance of the mean clip of samples to that of the data."""
    training = game_plan(phases=(phase(steps=40, batch_size=8),), log_every=5)
    built, x_BCTHW = build(settings(latents, training=training), moving.given()), moving.clips(8)
    built.initialize(generator(0, "weights"))
    z = drawn(built, 32)

    def distance() -> float:
        with torch.no_grad():
            return (built.eval().made(z, {}).mean(0) - x_BCTHW.mean(0)).abs().mean().item()

    before = distance()
    samples: Samples[Any] = Samples(8, lambda indices: {"x": x_BCTHW[indices]})
    with Checkpoints(tmp_path) as checkpoints:
        result = fit(
            built.objective(), lambda _: samples, lambda _: samples, training, setting(checkpoints)
        )
    for name in ("accuracy_real", "accuracy_fake", "probability_real", "probability_fake"):
        assert result.curve[name].between(0, 1).all()
        assert result.epochs[f"validation_{name}"].between(0, 1).all()
    assert distance() < 0.6 * before
