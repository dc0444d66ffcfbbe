"""ALI: its game, its nets, and points whose modes it finds."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.metrics.modes import modes
from foreframe.networks import games as games_of
from foreframe.networks.dropout import NONE, Dropout
from foreframe.networks.noise import Fresh
from foreframe.networks.pair_networks import DecoderSettings
from foreframe.predictors.adversarial import CRITIC, GENERATOR
from foreframe.predictors.ali import ALI, build
from foreframe.predictors.learned import Given
from foreframe.randomness import generator, numpy_generator
from foreframe.sources.gaussian_grid import DEVIATION, MEANS, points
from tests.foreframe.predictors import pairs
from tests.foreframe.predictors.pairs import (
    PLANE,
    POINT_CRITIC,
    POINT_ENCODER,
    POINTS,
    ali_settings,
    encoder,
    frames,
    given,
    layers,
    moment,
    pictures,
    plain,
    plan,
    ready,
    states,
    told,
)
from tests.foreframe.training import games

BOTH = (GENERATOR, CRITIC)


def model(*, lively: bool = True, **changes: Any) -> ALI:
    found: ALI = ready(build(ali_settings(**changes), given()), lively=lively)
    return found


def conditional(**changes: Any) -> ALI:
    found: ALI = ready(build(told(**changes), given(labels=pairs.TOLD)))
    return found


def of_points(**changes: Any) -> ALI:
    known = {"view": states(), "encoder": POINT_ENCODER, "critic": POINT_CRITIC, **POINTS}
    return build(ali_settings(**(known | changes)), PLANE)


NO_DROP = {"critic": pairs.small_critic(drop=0.0)}
DRAWN = {**NO_DROP, "deviation": 0.3}


def test_both_gradients_are_those_of_their_own_losses_and_of_one_pass() -> None:
    chosen = model(lively=False, **DRAWN)
    x_B, _ = pictures(6)
    passes: list[Tensor] = []
    chosen.critic.register_forward_hook(lambda _, inputs, out: passes.append(inputs[0]))
    found = chosen.train().objective().losses({"x": x_B}, moment(), BOTH)
    assert len(passes) == 1 and len(passes[0]) == 12
    movers = {GENERATOR: (chosen.encoder, chosen.decoder), CRITIC: (chosen.critic,)}
    assert chosen.players() == movers
    # Again by hand, with a pass of its own for each half and for each player.
    again = model(lively=False, **DRAWN).train()
    numbers = moment().numbers
    eps, z = numbers.normal((6, 3)), numbers.normal((6, 3))
    raw = again.encoder(again.maps(x_B), None)  # type: ignore[misc]
    inferred = raw[:, :3] + raw[:, 3:].exp() * eps
    made = again.decoder(z, None).sigmoid()
    rho_q = again.critic(x_B[:, :, 0], inferred, None)[:, 0].sigmoid()
    rho_p = again.critic(made, z, None)[:, 0].sigmoid()
    losses = {
        CRITIC: -rho_q.log().mean() - (1 - rho_p).log().mean(),
        GENERATOR: -(1 - rho_q).log().mean() - rho_p.log().mean(),
    }
    for name, wanted in losses.items():
        torch.testing.assert_close(found[name]["loss"], wanted)
        for one, other in zip(chosen.players()[name], again.players()[name], strict=True):
            mine = torch.autograd.grad(found[name]["loss"], [*one.parameters()], retain_graph=True)
            theirs = torch.autograd.grad(wanted, [*other.parameters()], retain_graph=True)
            assert any(each.abs().max() > 1e-3 for each in theirs)
            for each, same in zip(mine, theirs, strict=True):
                torch.testing.assert_close(each, same, rtol=1e-3, atol=1e-5)


def test_a_norm_of_the_critic_sees_true_and_made_pairs_mixed() -> None:
    normed = layers((5, 1, 8), (4, 1, 8))
    critic = pairs.pair_critic(normed, layers((1, 1, 4)), layers((1, 1, 4)), 0.0, **plain(0.1))
    chosen = model(critic=critic).train()
    first = pairs.layer_of(chosen.critic.pictures, 0)
    seen: list[Tensor] = []
    first.convolution.register_forward_hook(lambda _, __, out: seen.append(out.detach()))
    before = first.norm.running_mean.clone()
    chosen.objective().losses({"x": pictures(6)[0]}, moment(), BOTH)
    [both] = seen
    means = [each.mean(dim=(0, 2, 3)) for each in (both, both[:6], both[6:])]
    torch.testing.assert_close(first.norm.running_mean, 0.95 * before + 0.05 * means[0])
    assert (means[1] - means[2]).abs().max() > 0.1


def test_masks_are_those_of_the_step_and_none_in_validation() -> None:
    chosen, x_B = model(), pictures(6)[0]
    game = chosen.objective()
    # In eval mode nothing but the noise of latents is drawn.
    numbers = moment().numbers
    noise = Fresh(numbers, 6, x_B.device)
    inferred, z = chosen.infer(x_B, {}, noise), chosen.drawn(noise)
    real = chosen.judge(x_B, inferred, {})
    fake = chosen.judge(chosen.made(z, {}), z, {})
    measured = game.measure({"x": x_B}, moment())
    for name, logits, true in (("real", real, 1), ("fake", fake, -1)):
        torch.testing.assert_close(
            measured[f"probability_{name}"], (true * logits).sigmoid().mean()
        )
        share = (true * logits > 0).float().mean()
        assert measured[f"accuracy_{name}"].item() == pytest.approx(share.item())
    chosen.train()
    found = game.losses({"x": x_B}, moment(), BOTH)[CRITIC]["loss"]
    numbers = moment().numbers
    noise = Fresh(numbers, 6, x_B.device)
    inferred, z = chosen.infer(x_B, {}, noise), chosen.drawn(noise)
    both, known = torch.cat([x_B, chosen.made(z, {})]), torch.cat([inferred, z])
    masked, whole = (
        games_of.critic_loss(*chosen.judge(both, known, {}, dropout).chunk(2))
        for dropout in (Dropout(0.0, numbers), NONE)
    )
    torch.testing.assert_close(found, masked)
    assert (masked - whole).abs() > 0.01


@pytest.mark.parametrize("scaling", ["unit", "symmetric"])
def test_what_is_made_of_nothing_begins_as_the_mean_picture(scaling: str) -> None:
    chosen = model(view=frames(scaling=scaling))
    x_B = pictures(9)[0].clamp(0, 1)
    x_B[..., 0], x_B[..., 1] = 0, 1
    low = 0 if scaling == "unit" else -1
    x_B = low + (1 - low) * x_B
    chosen.objective().start({"x": x_B}, moment())
    with torch.no_grad():
        chosen.decoder.outward.weight.zero_()
        made = chosen.made(generator(0, "z").normal((2, 3)), {})
    torch.testing.assert_close(made, x_B.mean(dim=0, keepdim=True).expand(2, -1, -1, -1, -1))
    assert chosen.decoder.bias.bias_CHW.abs().max().item() == pytest.approx(
        math.log((1 - 1e-7) / 1e-7), rel=1e-6
    )


def test_points_have_the_weights_of_the_released_script() -> None:
    found = of_points()
    parts = (found.encoder, found.decoder, found.critic)
    counts = [sum(each.numel() for each in part.parameters()) for part in parts if part is not None]
    assert counts == [164_002, 484_802, 407_201]
    wide, narrow = 400 * 400 + 800, 200 * 1000 + 1000
    assert counts == [
        4 * 400 + 800 + wide + 400 * 2 + 2,
        2 * 400 + 800 + 3 * wide + 400 * 2 + 2,
        4 * 1000 + 1000 + 2 * narrow + 201,
    ]


COUNT, STEPS = 4000, 300
GRID = torch.from_numpy(MEANS)


def mixture(count: int, seed: int) -> Tensor:
    found, _ = points(count, numpy_generator(seed, "mixture"))
    return torch.from_numpy(found).float()[:, None]


def test_it_finds_modes_of_a_mixture(tmp_path: Path) -> None:
    x_N1S = mixture(COUNT, 0)
    training = plan(games.phase(steps=STEPS, batch_size=100), learning_rate=1e-3)
    dense = ((1, 1, 64),) * 2
    chosen = of_points(
        training=training,
        deviation=0.1,
        encoder=encoder(layers(*dense), "implicit", **plain(0.0)),
        decoder=DecoderSettings(layers=layers(*dense), **plain(0.0)),
        critic=pairs.pair_critic(
            (), (), layers((1, 1, 128), (1, 1, 128), normalise="none"), 0.0, **pairs.maxout(2)
        ),
    )
    result = pairs.trained(chosen, tmp_path, x_N1S)
    chosen.eval()
    found = modes(chosen.remade(generator(0, "z").normal((2000, 2)), {})[:, 0], GRID, DEVIATION)
    # 20 to 24 with other data, and 2 to 4 before it is trained.
    assert found.found >= 15
    assert {"generator_loss", "critic_loss", "probability_real", "accuracy_fake"} <= set(
        result.curve.columns
    )


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (given(side=9), r"The encoder has maps of 9 x 9, 5 x 5, 2 x 2, and must end at 1 x 1"),
        (given(side=4), r"The encoder comes to maps of 4 x 4, in which its kernel of 5 x 5"),
        (given(labels={"digit": ("zero",)}), "The label digit has one class"),
    ],
)
def test_data_that_do_not_fit_are_refused(facts: Given, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(ali_settings(), facts)


def test_a_decoder_of_another_size_is_refused() -> None:
    small = DecoderSettings(layers=layers((4, 1, 8), (4, 1, 8), up=True), **plain(0.1))
    with pytest.raises(UserError, match=r"The decoder has maps of 1 x 1, 4 x 4, 7 x 7, .* 8 x 8"):
        build(ali_settings(decoder=small), given())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"view": frames(frames=2)}, "view.frames is 2, but ali is built for 1"),
        ({"view": frames(scaling="centred")}, "Set it to unit or symmetric"),
        ({"view": frames(dequantise=True)}, "view.dequantise is True"),
        ({"label_width": 4}, r"label_width is 4, and labels is \[\]"),
        ({"labels": ("digit",)}, "label_width is None, and labels is digit"),
        (
            {
                "labels": ("digit",),
                "label_width": 4,
                "supervision": pairs.supervised().supervision,
            },
            "is told labels and is to learn one",
        ),
        ({"training": plan(players=("model",))}, "training.players are model, but those of"),
        (
            {"training": plan(games.phase(steps=2, players=("critic",)))},
            "The phases of this ali move critic, but it learns by generator with critic",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ali_settings(**changes)


def test_a_generator_drops_nothing() -> None:
    with pytest.raises(ValueError, match="A layer of the encoder drops a share"):
        encoder(layers((5, 1, 8), drop=0.1), **plain(0.1))
    with pytest.raises(ValueError, match="A layer of the decoder drops a share"):
        DecoderSettings(layers=layers((5, 1, 8), drop=0.1), **plain(0.1))
