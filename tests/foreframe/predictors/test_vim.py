"""VIM: its size, its bound term by term, what is drawn when, and that it learns."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.networks.modular_transition import CERTAIN, Drawing
from foreframe.networks.noise import Drawn
from foreframe.predictors import Context
from foreframe.predictors.recurrent import WIDTH
from foreframe.predictors.vim import VIM, ModuleOptions, build
from foreframe.randomness import Draws
from tests.foreframe.predictors import moving, sliding
from tests.foreframe.predictors.sliding import FRAMES, MEAN, MODULES, ROWS, SAMPLED, SLOTS

LAYERS = {"width": 64, "kernel": 5, "scaled": 0}
THESIS: dict[str, Any] = {
    "scene": {
        "slots": 4, "dim": 64, "iterations": 3, "hidden": 128, "waves": 0,
        "encoder": LAYERS | {"layers": 4}, "decoder": LAYERS | {"layers": 3},
    },
    "transition": {"modules": 5, "trunk": 128, "module": 128, "latent": 64, "key": 64},
}  # fmt: skip


def test_the_weights_are_those_of_its_layers() -> None:
    with torch.device("meta"):
        built = build(sliding.settings(**THESIS), moving.given(32, channels=3))
    attention = 2 * 64 + 3 * 64**2 + 4 * 64 + 6 * (64**2 + 64) + 2 * 64 + 2 * 64 * 128 + 128 + 64
    transition = 8_320 + 16_512 + 256 + 123_840 + 24_960 + 12_480 + 16_576 + 128 + 12_288
    assert built.trainable() == 321_024 + attention + 314_116 + transition == 904_836


def test_a_frame_costs_its_distance_from_what_slots_show() -> None:
    built, x_BCTHW = sliding.model().double(), sliding.clips().double()
    found = built.terms(x_BCTHW, 0, sliding.Repeated(ROWS))
    shown = built.scene.decoder(built.encode(x_BCTHW[:, :, :1]).slots).frame
    normal = torch.distributions.Normal(shown, 0.3)
    wanted = -normal.log_prob(x_BCTHW[:, :, 0]).sum(dim=(1, 2, 3))
    torch.testing.assert_close(found.nll[:, 0], wanted)
    assert found.nll.shape == (ROWS, FRAMES)
    for kl in found.kl.values():
        assert (kl[:, 0] == 0).all()
        assert (kl[:, 1:] > 0).all()


def test_a_bound_is_made_step_by_step_of_what_was_drawn() -> None:
    built, x_BCTHW, noise = (
        sliding.model().double(),
        sliding.clips().double(),
        sliding.Repeated(ROWS),
    )
    found = built.terms(x_BCTHW, 2, noise)
    slots = built.encode(x_BCTHW[:, :, :2]).slots
    drawing = sliding.drawing(noise)
    for place, time in enumerate(range(2, FRAMES)):
        features = built.scene.encoder(x_BCTHW[:, :, time])
        moved = built.transition.infer(slots, features, drawing, 0, time)
        slots = moved.slots
        error = x_BCTHW[:, :, time] - built.scene.decoder(slots).frame
        values = error[0].numel()
        nll = (error.square().flatten(1).sum(dim=1) / 0.18) + values * math.log(
            0.3 * math.sqrt(2 * math.pi)
        )
        torch.testing.assert_close(found.nll[:, place], nll)
        torch.testing.assert_close(found.kl["latent"][:, place], moved.kl_latent)
        torch.testing.assert_close(found.kl["module"][:, place], moved.kl_module)
        assert found.log_ratio is not None
        torch.testing.assert_close(found.log_ratio[:, place], moved.log_ratio)


@pytest.mark.parametrize("time", [1, 2])
def test_a_frame_moves_its_own_cost_and_later_ones_and_no_earlier_one(time: int) -> None:
    built, x_BCTHW = sliding.model().double(), sliding.clips().double()
    before = built.terms(x_BCTHW, 1, sliding.Repeated(ROWS)).nll
    after = built.terms(moving.perturbed(x_BCTHW, time), 1, sliding.Repeated(ROWS)).nll
    moved = ((before - after).abs() > 1e-9).all(dim=0)
    assert moved.tolist() == [frame >= time for frame in range(1, FRAMES)]


def test_one_module_has_no_choice_to_pay_for() -> None:
    found = sliding.model(transition={"modules": 1}).terms(
        sliding.clips(), 0, sliding.Repeated(ROWS)
    )
    assert set(found.kl) == {"latent"}
    assert set(sliding.model().terms(sliding.clips(), 0, sliding.Repeated(ROWS)).kl) == {
        "latent", "module",
    }  # fmt: skip


@pytest.mark.parametrize("iterations", [1, 3])
def test_steps_between_frames_are_that_many_and_their_costs_add_up(iterations: int) -> None:
    x_BCTHW, noise = sliding.clips().double(), sliding.Repeated(ROWS)
    built = sliding.model(iterations=iterations).double()
    slots, features = built.encode(x_BCTHW[:, :, :1]).slots, built.scene.encoder(x_BCTHW[:, :, 1])
    steps = []
    for iteration in range(iterations):
        steps.append(built.transition.infer(slots, features, sliding.drawing(noise), iteration, 1))
        slots = steps[-1].slots
    found = built.terms(x_BCTHW[:, :, :2], 1, noise)
    for name in ("latent", "module"):
        wanted = sum(getattr(step, f"kl_{name}") for step in steps)
        torch.testing.assert_close(found.kl[name][:, 0], wanted)
    shown = built.scene.decoder(slots).frame
    nll = -torch.distributions.Normal(shown, 0.3).log_prob(x_BCTHW[:, :, 1]).sum(dim=(1, 2, 3))
    torch.testing.assert_close(found.nll[:, 0], nll)


def test_more_steps_than_in_training_can_be_asked_for() -> None:
    x_BCTHW = sliding.clips()
    one, three = sliding.model(), sliding.model(iterations=3)
    for wanted, found in zip(
        _flat(three.follow(x_BCTHW, None)), _flat(one.follow(x_BCTHW, 3)), strict=True
    ):
        assert torch.equal(wanted, found)
    assert one.follow(x_BCTHW, None).refined.masks.shape[2] == 1


def _flat(followed: Any) -> list[Tensor]:
    return [*followed.rendered, *followed.refined, followed.modules]


def test_clips_are_followed_by_the_likeliest_modules_and_means() -> None:
    built, x_BCTHW = sliding.model(), sliding.clips()
    found = built.follow(x_BCTHW, None)
    assert found.modules is not None
    assert found.modules.shape == (ROWS, FRAMES - 1, 1, SLOTS)
    slots = built.encode(x_BCTHW[:, :, :1]).slots
    for time in range(FRAMES):
        if time:
            features = built.scene.encoder(x_BCTHW[:, :, time])
            moved = built.transition.infer(slots, features, CERTAIN, 0, time)
            slots = moved.slots
            assert torch.equal(found.modules[:, time - 1, 0], moved.shares.argmax(dim=2))
            torch.testing.assert_close(
                found.refined.masks[:, time - 1, 0], found.rendered.masks[:, time]
            )
        torch.testing.assert_close(
            found.rendered.masks[:, time], built.scene.decoder(slots).masks, rtol=1e-4, atol=1e-5
        )
    torch.testing.assert_close(built.encode(x_BCTHW).slots, slots, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        built.replay(x_BCTHW, 1, MEAN, sliding.Repeated(ROWS)),
        found.rendered.frame[:, 1:].transpose(1, 2),
    )


def test_shares_are_soft_in_training_and_slots_begin_by_chance_there_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built, x_BCTHW, noise = sliding.model(), sliding.clips(), sliding.Repeated(ROWS)
    shares: list[Tensor] = []
    chosen = Drawing.shares

    def noted(drawing: Drawing, *inputs: Any) -> Tensor:
        shares.append(chosen(drawing, *inputs))
        return shares[-1]

    monkeypatch.setattr(Drawing, "shares", noted)
    hard = built.terms(x_BCTHW, 0, noise)
    assert all(((each == 0) | (each == 1)).all() for each in shares)
    shares.clear()
    soft = built.train().terms(x_BCTHW, 0, noise)
    assert all(((each > 0) & (each < 1)).all() for each in shares)
    assert len(shares) == FRAMES - 1
    assert (soft.nll[:, 0] != hard.nll[:, 0]).all()


@pytest.mark.parametrize("options", [SAMPLED, MEAN])
def test_a_future_takes_one_module_a_slot(options: ModuleOptions) -> None:
    built, noise = sliding.model(), sliding.Repeated(ROWS)
    slots = built.encode(sliding.clips()[:, :, :1]).slots
    candidates = built.transition.candidates(slots)
    logits = built.transition.logits(candidates, built.transition.prior_query(slots))
    if options is SAMPLED:
        logits = logits + noise.gumbel("module 0", 1, (SLOTS, MODULES))
    forced = logits.argmax(dim=2)
    scale = 1.0 if options is SAMPLED else 0.0
    drawing = sliding.drawing(noise, scale)
    wanted = built.transition.expect(slots, drawing, 0, 1, forced)
    frame, state = built.advance(built.encode(sliding.clips()[:, :, :1]), 1, options, noise)
    torch.testing.assert_close(state.slots, wanted)
    torch.testing.assert_close(frame, built.scene.decoder(wanted).frame)


def test_a_future_does_not_depend_on_what_else_is_asked_for() -> None:
    built = sliding.model()
    known = Context(sliding.pictures()[:, :2], [10, 11, 12])
    draws = Draws.each(0, known.numbers, range(WIDTH // 2))
    together = built.predict(known, 3, SAMPLED, draws).frames
    for rows in ([3], [WIDTH + 1, 0]):
        assert torch.equal(built.predict(known, 3, SAMPLED, draws.of(rows)).frames, together[rows])
    alone = Context(known.frames[1:2], [11])
    own = built.predict(alone, 3, SAMPLED, Draws(0, [11], [2])).frames
    place = [*zip(draws.clips, draws.futures, strict=True)].index((11, 2))
    assert torch.equal(own[0], together[place])
    assert SAMPLED.random and not MEAN.random
    two = built.predict(known, 3, MEAN, Draws(0, [10, 10], [0, 1])).frames
    assert torch.equal(two[0], two[1])


def test_named_modules_are_what_a_future_is_made_by() -> None:
    built, x_BCTHW, noise = sliding.model(), sliding.clips()[:, :, :2], sliding.Repeated(ROWS)
    free = torch.full((ROWS, 2, 1, SLOTS), -1)
    rolled = built.roll(x_BCTHW, free, SAMPLED, noise)
    state = built.encode(x_BCTHW)
    torch.testing.assert_close(rolled.frame[:, 0], built.scene.decoder(state.slots).frame)
    for time in (2, 3):
        frame, state = built.advance(state, time, SAMPLED, noise)
        torch.testing.assert_close(rolled.frame[:, time - 1], frame)
    forced = [built.roll(x_BCTHW, free * 0 + module, MEAN, noise).frame for module in range(2)]
    assert torch.equal(forced[0][:, 0], forced[1][:, 0])
    assert not torch.allclose(forced[0][:, 1:], forced[1][:, 1:], atol=1e-4)


@pytest.mark.parametrize("module", [MODULES, -2])
def test_modules_that_there_are_not_are_refused(module: int) -> None:
    forced = torch.full((ROWS, 1, 1, SLOTS), module)
    with pytest.raises(UserError, match=rf"module {module} is asked for, but VIM has {MODULES}"):
        sliding.model().roll(sliding.clips()[:, :, :1], forced, MEAN, sliding.Repeated(ROWS))


def test_what_is_known_of_a_future_by_the_prior_is_what_it_shows() -> None:
    built, x_BCTHW, noise = sliding.model(), sliding.clips(), sliding.Repeated(ROWS)
    state = built.encode(x_BCTHW[:, :, :1])
    frame, _ = built.advance(state, 1, SAMPLED, noise)
    found = built.surprisal(state, x_BCTHW[:, :, 1], 1, SAMPLED, noise)
    normal = torch.distributions.Normal(frame, 0.3)
    torch.testing.assert_close(found, -normal.log_prob(x_BCTHW[:, :, 1]).sum(dim=(1, 2, 3)))


def test_a_likelihood_needs_a_frame_in_which_slots_are() -> None:
    built, future = sliding.model(), sliding.pictures()
    nothing = Context(future[:, :0], [10, 11, 12])
    with pytest.raises(UserError, match=r"VIM is given 0 frames and needs 1\. Raise the protocol"):
        built.likelihood(nothing, future, sliding.first(ROWS))
    with pytest.raises(UserError, match="cannot generate clips from nothing"):
        built.predict(nothing, 1, MEAN, sliding.first(ROWS))
    known = Context(future[:, :1], [10, 11, 12])
    found = built.likelihood(known, future[:, 1:], sliding.first(ROWS))
    x_BCTHW = built.scaling.inward(future, None)
    noise = Drawn(sliding.first(ROWS), "score", torch.device("cpu"))
    terms = built.terms(x_BCTHW, 1, noise)
    assert terms.log_ratio is not None
    wanted = (terms.log_ratio - terms.nll).double().sum(dim=1)
    torch.testing.assert_close(found.values[0], wanted, rtol=1e-5, atol=1e-3)


def test_clips_of_one_frame_train_slots_and_nothing_that_moves_them() -> None:
    built = sliding.model().train()
    loss = built.loss({"x": sliding.clips(frames=1)}, moving.moment())
    loss["loss"].backward()
    assert loss["kl_latent"] == 0
    assert all(part.grad is None for part in built.transition.parameters())
    assert all(part.grad is not None for part in built.scene.parameters())


def test_a_short_training_lowers_the_loss(tmp_path: Path) -> None:
    built: VIM = build(sliding.settings(view=moving.view(frames=5)), moving.given(16))
    found = moving.losses(built, tmp_path)
    assert sum(found[-3:]) < 0.8 * sum(found[:3])


@pytest.mark.parametrize("changes", [{"scaling": "symmetric"}, {"dequantise": True}])
def test_a_view_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"view.{next(iter(changes))} is"):
        sliding.settings(view=moving.view(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deviation": 0.0}, "greater than 0"),
        ({"iterations": 0}, "greater than or equal to 1"),
        ({"transition": {"modules": 0}}, "greater than or equal to 1"),
        ({"scene": sliding.scene(slots=0)}, "greater than or equal to 1"),
        ({"actions": "input"}, "is given frames alone"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sliding.settings(**changes)
