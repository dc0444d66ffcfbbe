"""Made-up scenes: what latents mean, the two turns of the game, and the slope of its critic."""

from typing import Any

import pytest
import torch

from foreframe.networks import games
from foreframe.networks.noise import Fresh
from foreframe.predictors import Context
from foreframe.predictors.adversarial import CRITIC, GENERATOR, Latents
from foreframe.predictors.giraffe import even
from foreframe.randomness import Draws, generator
from tests.foreframe.networks.scenes import REACH
from tests.foreframe.predictors import pairs, rendered
from tests.foreframe.predictors.rendered import ROWS, SIDE, model, pictures

COUNT = 400


def test_poses_and_how_many_boxes_there_are_are_even_within_reach() -> None:
    found = model("giraffe")
    (size,) = found.latent_shape
    scene = found.scene(generator(0, "latents").normal((COUNT, size)))
    place, scale, turn = scene.poses
    assert place.abs().max() <= REACH.places[0]
    for part, low, high in (
        (place, -REACH.places[0], REACH.places[0]),
        (scale, REACH.smallest, REACH.largest),
        (turn, 0.0, 2 * torch.pi),
    ):
        share = (part - low) / (high - low)
        assert share.min() >= 0 and share.max() <= 1
        assert share.mean().item() == pytest.approx(0.5, abs=0.05)
        assert share.var().item() == pytest.approx(1 / 12, abs=0.01)
    counts = scene.present.sum(dim=1).bincount(minlength=4)
    assert counts[0] == 0 and (counts[1:] > COUNT / 3 * 0.7).all()
    assert (scene.present[:, 0]).all()


def test_even_numbers_are_the_distribution_function_of_normal_ones() -> None:
    x = torch.linspace(-3, 3, 13)
    torch.testing.assert_close(even(x), torch.distributions.Normal(0.0, 1.0).cdf(x))


def test_pictures_come_from_nothing_and_depend_on_their_draw_alone() -> None:
    found, plain = model("giraffe"), Latents(temperature=1.0)
    context = Context(pictures()[:, None][:, :0], [0, 1, 2])
    drawn = found.predict(context, 1, plain, Draws.first(0, [0, 1, 2])).frames
    assert drawn.shape == (ROWS, 1, SIDE, SIDE, 3)
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(found.predict(context, 1, plain, Draws.first(0, [2])).frames, drawn[2:])


def batch() -> dict[str, Any]:
    return {"x": model("slot_autoencoder").pictures(pictures())[:, :, None]}


def test_the_critic_pays_for_its_slope_at_true_pictures() -> None:
    plain, steep = (model("giraffe", penalty=each).objective() for each in (0.0, 2.0))
    losses = [
        each.losses(batch(), pairs.moment(), (CRITIC,))[CRITIC]["loss"] for each in (plain, steep)
    ]
    x = batch()["x"][:, :, 0].requires_grad_()
    (slope,) = torch.autograd.grad(steep.model.critic(x).sum(), x)
    torch.testing.assert_close(losses[1] - losses[0], slope.square().sum() / ROWS)


def test_each_turn_moves_its_player_by_the_game() -> None:
    found = model("giraffe")
    game, x = found.objective(), batch()["x"][:, :, 0]
    assert game.turns == ((CRITIC,), (GENERATOR,))
    noise = Fresh(pairs.moment().numbers, ROWS, x.device)
    made = found.shown(found.drawn(noise), None)[:, :, 0]
    wanted = games.generator_loss(found.critic(made))
    losses = {
        name: game.losses(batch(), pairs.moment(), (name,))[name]["loss"]
        for name in (CRITIC, GENERATOR)
    }
    torch.testing.assert_close(losses[GENERATOR], wanted)
    for player in game.players:
        found_by = torch.autograd.grad(losses[player.name], player.weights(), allow_unused=True)
        assert all(each is not None and each.isfinite().all() for each in found_by)
    assert {"accuracy_real", "probability_fake"} <= game.measure(batch(), pairs.moment()).keys()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fewest": 4}, "fewest is 4 of 3 boxes"),
        ({"upscaler": rendered.UPSCALER}, "colours_weight 0"),
        ({"labels": ("digit",)}, "labels is digit, but giraffe is told nothing"),
        ({"training": rendered.staged()}, "those of this giraffe are generator, critic"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rendered.giraffe_settings(**changes)
