"""The game of Feature Flow: losses, gradients, what is told, ever longer clips, what is learned."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.config.training import Ramp
from foreframe.networks.clip_critics import Inverse
from foreframe.predictors.feature_flow import FeatureFlow, build
from foreframe.randomness import generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Moment
from foreframe.training.result import Result
from foreframe.training.samples import Samples
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.flowing import (
    BOTH,
    FRAMES,
    clips,
    critic,
    game_plan,
    model,
    settings,
)
from tests.foreframe.predictors.moving import Repeated
from tests.foreframe.training.games import phase
from tests.foreframe.training.runs import setting

SIDE = 16


def test_errors_are_of_predictions_whose_frames_are_closed_or_open() -> None:
    built, x_BCTHW = model(closed_frames=3), clips()
    played = built.played(x_BCTHW, Repeated(4))
    closed = (played.closed - x_BCTHW[:, :, 1:3]).square().mean()
    opened = (played.open - x_BCTHW[:, :, 3:]).square().mean()
    torch.testing.assert_close(played.errors(), {"closed_error": closed, "open_error": opened})
    assert set(model(closed_frames=1, error_weight=0.0).played(x_BCTHW, Repeated(4)).errors()) == {
        "open_error"
    }


def moment(step: int = 0) -> Moment:
    return Moment(step, 20, 0, step, 20, generator(0, "step"))


def judged(built: FeatureFlow, x_BCTHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits of true and of made clips, and the closed error, with a moment's noise."""
    numbers = generator(0, "step")

    class Asked(Repeated):
        def normal(self, purpose: str, time: int, shape: Any) -> Tensor:
            return numbers.normal((self.rows, *shape))

    played = built.played(x_BCTHW, Asked(len(x_BCTHW)))
    return built.critic(x_BCTHW), built.critic(played.made()), played.errors()["closed_error"]


def test_each_player_follows_the_gradient_of_its_own_loss() -> None:
    built, x_BCTHW, entropy = model(), clips(), functional.binary_cross_entropy_with_logits
    found = built.objective().losses({"x": x_BCTHW}, moment(), BOTH)
    real, fake, error = judged(built, x_BCTHW)
    ones, zeros = torch.ones(4), torch.zeros(4)
    wanted = {
        "generator": entropy(fake, ones) + error,
        "critic": entropy(real, ones) + entropy(fake, zeros),
    }
    for player in built.objective().players:
        loss = found[player.name]["loss"]
        torch.testing.assert_close(loss, wanted[player.name])
        both = [
            torch.autograd.grad(each, player.weights(), retain_graph=True, allow_unused=True)
            for each in (loss, wanted[player.name])
        ]
        for one, other in zip(*both, strict=True):
            assert one is not None
            torch.testing.assert_close(one, other)


def test_a_weight_of_the_error_is_its_weight_and_who_does_not_move_has_no_loss() -> None:
    one, other = (
        model(error_weight=weight).objective().losses({"x": clips()}, moment(), ("generator",))
        for weight in (0.0, 3.0)
    )
    assert set(one) == set(other) == {"generator"}
    more = other["generator"]["loss"] - one["generator"]["loss"]
    torch.testing.assert_close(more, 3 * one["generator"]["closed_error"])
    torch.testing.assert_close(one["generator"]["loss"], one["generator"]["adversarial"])


def test_both_sorts_of_knowledge_are_told_in_training_and_of_a_validation() -> None:
    built, x_BCTHW = model(), clips()
    real, fake, _ = judged(built, x_BCTHW)
    wanted = {
        "accuracy_real": (real > 0).float().mean(),
        "accuracy_fake": (fake <= 0).float().mean(),
        "probability_real": real.sigmoid().mean(),
        "probability_fake": (1 - fake.sigmoid()).mean(),
    }
    trained = dict(built.objective().losses({"x": x_BCTHW}, moment(), BOTH)["critic"])
    trained.pop("loss")
    measured = dict(built.objective().measure({"x": x_BCTHW}, moment()))
    torch.testing.assert_close(trained, wanted)
    errors = {name: measured.pop(name) for name in ("closed_error", "open_error")}
    torch.testing.assert_close(measured, wanted)
    assert all(error > 0 for error in errors.values())


def test_ever_more_frames_are_made_and_judged() -> None:
    built = model(generated_frames=Ramp(first=1.0, last=3.0, begin=2, steps=4, of="run"))
    seen: list[tuple[int, ...]] = []
    built.critic.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    game = built.objective()
    for step in (0, 2, 4, 6, 19):
        game.losses({"x": clips()}, moment(step), BOTH)
    assert [shape[2] for shape in seen] == [3, 3, 3, 3, 4, 4, 5, 5, 5, 5]
    seen.clear()
    game.measure({"x": clips()}, moment(4))
    assert [shape[2] for shape in seen] == [4, 4]


def test_a_critic_may_be_told_the_inverse_flow() -> None:
    inverse = Inverse(form="relation", kappa=3, levels=1, widths=(4,))
    built = model(critic=critic(4, 5) | {"inverse": inverse})
    found = built.objective().losses({"x": clips()}, moment(), BOTH)
    weights = built.objective().players[1].weights()
    gradients = torch.autograd.grad(found["critic"]["loss"], weights, allow_unused=True)
    assert all(gradient is not None for gradient in gradients)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_batch_may_have_a_single_clip(rows: int) -> None:
    built = model().train()
    losses = built.objective().losses({"x": clips(rows)}, moment(), BOTH)
    assert all(of["loss"].isfinite() for of in losses.values())


def run(built: FeatureFlow, x_BCTHW: Tensor, folder: Path) -> Result:
    built.initialize(generator(0, "weights"))
    samples: Samples[Any] = Samples(len(x_BCTHW), lambda indices: {"x": x_BCTHW[indices]})
    with Checkpoints(folder) as checkpoints:
        return fit(
            built.objective(),
            lambda _: samples,
            lambda _: samples,
            built.settings.training,
            setting(checkpoints),
        )


def moved_by(before_BCHW: Tensor, after_BCHW: Tensor) -> list[int]:
    """Return by how many places to the right each picture has moved, going by the least error."""
    errors = [
        (before_BCHW.roll(shift, dims=3) - after_BCHW).square().flatten(1).sum(dim=1)
        for shift in range(SIDE)
    ]
    found: list[int] = torch.stack(errors).argmin(dim=0).tolist()
    return found


def squares() -> Tensor:
    """Return clips (8,1,5,16,16) of a square of four places that goes two to the right in each."""
    x_BCTHW = torch.full((8, 1, FRAMES, SIDE, SIDE), -1.0)
    for clip in range(8):
        for time in range(FRAMES):
            left = clip % 4 + 2 * time
            x_BCTHW[clip, :, time, clip : clip + 4, left : left + 4] = 1.0
    return x_BCTHW


def test_it_learns_what_moves_where(tmp_path: Path) -> None:
    training = game_plan(phases=(phase(steps=50, batch_size=8),), log_every=5)
    widths = {"encoder": (12,), "condition": (8, 8, 8), "flow": (8, 8, 8), "decoder": (12,)}
    built = build(
        settings(widths | {"masked": False}, training=training, closed_frames=4, error_weight=10.0),
        moving.given(),
    )
    result, x_BCTHW = run(built, squares(), tmp_path), squares()
    errors = list(result.curve["closed_error"])
    for name in ("accuracy_real", "accuracy_fake", "probability_real", "probability_fake"):
        assert result.curve[name].between(0, 1).all()
        assert result.epochs[f"validation_{name}"].between(0, 1).all()
    with torch.no_grad():
        played = built.eval().played(x_BCTHW, Repeated(8))
    assert errors[-1] < 0.05 * errors[0]
    assert moved_by(x_BCTHW[:, :, 3], played.open[:, :, 0]) == [2] * 8
