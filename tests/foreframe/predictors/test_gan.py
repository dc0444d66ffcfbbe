"""The plain game, and what an encoder learns of it afterwards while the rest stays as it is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.errors import UserError
from foreframe.networks.dropout import Dropout
from foreframe.networks.games import critic_loss
from foreframe.networks.noise import Fresh
from foreframe.networks.pair_networks import DecoderSettings
from foreframe.predictors.adversarial import CRITIC, GENERATOR
from foreframe.predictors.gan import ENCODER, GAN, PAIR_CRITIC, Inverse, PostHoc, build
from foreframe.randomness import generator
from foreframe.training.samples import Samples
from tests.foreframe.predictors import pairs
from tests.foreframe.predictors.pairs import (
    LONE_POINT_CRITIC,
    PLANE,
    POINT_CRITIC,
    POINT_ENCODER,
    POINTS,
    gan_settings,
    given,
    moment,
    pictures,
    plan,
    ready,
    states,
)
from tests.foreframe.training import games

PLAYERS: dict[str, tuple[str, ...]] = {"inverse": (ENCODER,), "posthoc": (ENCODER, PAIR_CRITIC)}


def inference(kind: str, encoder: Any = None, critic: Any = None) -> Inverse | PostHoc:
    encoder = encoder or pairs.encoder(
        pairs.layers((5, 1, 8), (4, 1, 8)), **pairs.plain(0.1)
    )  # fmt: skip
    if kind == "inverse":
        return Inverse(kind="inverse", encoder=encoder)
    return PostHoc(kind="posthoc", encoder=encoder, critic=critic or pairs.small_critic())


def phases(kind: str, first: int = 3, then: int = 3) -> Any:
    players = (GENERATOR, CRITIC, *PLAYERS[kind])
    return plan(
        games.phase(steps=first, batch_size=6, players=(GENERATOR, CRITIC)),
        games.phase(steps=then, batch_size=6, players=PLAYERS[kind]),
        players=players,
        validate_every=1,
    )


def model(kind: str | None = None, *, lively: bool = True, **changes: Any) -> GAN:
    if kind is not None:
        changes = {"inference": inference(kind), "training": phases(kind), **changes}
    found: GAN = ready(build(gan_settings(**changes), given()), lively=lively)
    return found


def test_losses_are_cross_entropies_of_one_pass() -> None:
    chosen, x_B = model(), pictures(6)[0]
    seen: list[Tensor] = []
    chosen.critic.register_forward_hook(lambda _, inputs, out: seen.append(inputs[0]))
    found = chosen.objective().losses({"x": x_B}, moment(), (GENERATOR, CRITIC))
    [both] = seen
    assert torch.equal(both[:6], x_B[:, :, 0])
    z = moment().numbers.normal((6, 3))
    torch.testing.assert_close(both[6:], chosen.decoder(z, None).sigmoid())
    real, fake = chosen.critic(both).chunk(2)
    ones, zeros = torch.ones(6), torch.zeros(6)
    entropy = functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(found[CRITIC]["loss"], entropy(real, ones) + entropy(fake, zeros))
    torch.testing.assert_close(found[GENERATOR]["loss"], entropy(fake, ones))
    reached = torch.autograd.grad(found[GENERATOR]["loss"], [*chosen.decoder.parameters()])
    assert all(each.abs().max() > 0 for each in reached)


def test_points_have_the_weights_of_the_released_script() -> None:
    how = {"view": states(), "critic": LONE_POINT_CRITIC, **POINTS}
    later = {
        "inference": inference("posthoc", POINT_ENCODER, POINT_CRITIC),
        "training": phases("posthoc"),
    }
    found = build(gan_settings(**how, **later), PLANE)
    parts = (found.encoder, found.decoder, found.critic, found.pair_critic)
    counts = [sum(each.numel() for each in part.parameters()) for part in parts if part is not None]
    assert counts == [164_002, 484_802, 405_201, 407_201]


def weights(chosen: GAN, *names: str) -> dict[str, Tensor]:
    return {
        name: value.clone()
        for name, value in chosen.state_dict().items()
        if name.split(".")[0] in names
    }


@pytest.mark.parametrize("kind", PLAYERS)
def test_an_encoder_learns_while_the_decoder_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    x_B = pictures(12)[0]
    chosen = model(kind, lively=False)
    data = Samples(12, lambda rows: {"x": x_B[rows]})
    result = pairs.trained(chosen, tmp_path / "whole", data, data)
    begun = model(kind, lively=False, training=phases(kind, then=1))
    pairs.trained(begun, tmp_path / "begun", data, data)
    for name, value in weights(begun, "decoder", "critic").items():
        assert torch.equal(value, chosen.state_dict()[name]), name
    moved = weights(begun, "encoder")
    assert any(not torch.equal(value, chosen.state_dict()[name]) for name, value in moved.items())
    column = "validation_missed" if kind == "inverse" else "validation_probability_real"
    assert result.epochs[column].notna().tolist()[3:] == [True] * 3


def test_an_inverse_is_missed_by_the_distance_of_latents() -> None:
    chosen, x_B = model("inverse"), pictures(6)[0]
    game = chosen.objective()
    assert chosen.train().decoder.training
    game.enter(1)
    chosen.train()
    assert not chosen.decoder.training and chosen.encoder is not None and chosen.encoder.training
    chosen.eval()
    found = game.losses({"x": x_B}, moment(), (ENCODER,))
    noise = Fresh(moment().numbers, 6, x_B.device)
    z = chosen.drawn(noise)
    again = chosen.infer(chosen.made(z, {}), {}, noise)
    wanted = (z - again).square().sum(dim=1).mean()
    torch.testing.assert_close(found[ENCODER]["loss"], wanted)
    game.enter(0)
    assert chosen.train().decoder.training


def test_a_later_inference_plays_the_game_over_pairs_with_no_way_into_the_decoder() -> None:
    chosen, x_B = model("posthoc"), pictures(6)[0]
    found = chosen.objective().losses({"x": x_B}, moment(), (ENCODER, PAIR_CRITIC))
    noise = Fresh(moment().numbers, 6, x_B.device)
    inferred, z = chosen.infer(x_B, {}, noise), chosen.drawn(noise)
    made = chosen.made(z, {})
    assert chosen.pair_critic is not None
    real = chosen.pair_critic(x_B[:, :, 0], inferred, None)[:, 0]
    fake = chosen.pair_critic(made[:, :, 0], z, None)[:, 0]
    sp = functional.softplus
    torch.testing.assert_close(found[PAIR_CRITIC]["loss"], (sp(-real) + sp(fake)).mean())
    torch.testing.assert_close(found[ENCODER]["loss"], (sp(real) + sp(-fake)).mean())
    into = torch.autograd.grad(
        found[ENCODER]["loss"], [*chosen.decoder.parameters()], allow_unused=True
    )
    assert all(each is None for each in into)


def test_an_inverse_learns_to_find_latents(tmp_path: Path) -> None:
    """Of a decoder that is nothing but drawn and a line, the mean squared distance."""
    dense = pairs.layers(*((1, 1, 32),) * 2)
    how: dict[str, Any] = {
        "view": states(),
        "critic": LONE_POINT_CRITIC,
        **POINTS,
        "decoder": DecoderSettings(layers=(), **pairs.plain(0.0)),
        "deviation": 0.3,
        "inference": inference("inverse", pairs.encoder(dense, "implicit", **pairs.plain(0.1))),
    }
    training = phases("inverse", 1, 200).model_copy(update={"validate_every": 100})
    chosen = build(gan_settings(training=training, **how), PLANE)
    x_B1S = generator(0, "x").normal((60, 1, 2))
    data = Samples(60, lambda rows: {"x": x_B1S[rows]})
    result = pairs.trained(chosen, tmp_path, data, data)
    missed = result.epochs["validation_missed"].dropna()
    # A guess of 0 misses by 2, the latents' variances.
    assert missed.iloc[-1] < 0.6


def test_it_has_no_latents_without_an_inference() -> None:
    with pytest.raises(UserError, match="GAN has no latents of a picture: it never learnt"):
        model().latents(torch.zeros(1, 8, 8, 3, dtype=torch.uint8), [0], 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ("digit",)}, "labels is digit, but gan is told nothing"),
        ({"inference": inference("inverse")}, "are generator, critic, encoder"),
        ({"training": phases("inverse")}, "those of this gan are generator, critic"),
        (
            {
                "inference": inference("posthoc"),
                "training": plan(
                    games.phase(steps=1, players=(GENERATOR, CRITIC)),
                    games.phase(steps=1, players=(ENCODER,)),
                    players=(GENERATOR, CRITIC, ENCODER, PAIR_CRITIC),
                ),
            },
            "move generator with critic, then encoder, but it learns by generator with critic, "
            "then encoder with pair_critic",
        ),
        (
            {
                "inference": inference("inverse"),
                "training": plan(
                    games.phase(steps=1, players=(ENCODER,)),
                    games.phase(steps=1, players=(GENERATOR, CRITIC)),
                    players=(GENERATOR, CRITIC, ENCODER),
                ),
            },
            "The phases of this gan move encoder, then generator with critic",
        ),
        (
            {
                "inference": inference("inverse"),
                "training": plan(
                    games.phase(steps=1, players=(GENERATOR, CRITIC)),
                    players=(GENERATOR, CRITIC, ENCODER),
                ),
            },
            "move generator with critic, but it learns by",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        gan_settings(**changes)


def test_masks_are_those_of_the_step_in_training_alone() -> None:
    chosen, x_B = model(), pictures(6)[0]
    game = chosen.objective()

    def critics(numbers: bool) -> Tensor:
        drawn = moment().numbers
        z = chosen.drawn(Fresh(drawn, 6, x_B.device))
        both = chosen.maps(torch.cat([x_B, chosen.made(z, {})]))
        masks = Dropout(0.0, drawn if numbers else None)
        return critic_loss(*chosen.critic(both, masks).chunk(2))

    for training in (False, True):
        chosen.train(training)
        found = game.losses({"x": x_B}, moment(), (GENERATOR, CRITIC))[CRITIC]["loss"]
        torch.testing.assert_close(found, critics(training))
        assert (found - critics(not training)).abs() > 0.01


def test_it_begins_as_the_mean_picture() -> None:
    chosen, x_B = model(), pictures(6)[0].clamp(0.01, 0.99)
    chosen.objective().start({"x": x_B}, moment())
    wanted = x_B.mean(dim=0)[:, 0].logit()
    torch.testing.assert_close(chosen.decoder.bias.bias_CHW.detach(), wanted)
