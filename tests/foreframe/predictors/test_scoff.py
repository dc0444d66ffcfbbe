"""SCOFF: its size, what it is told and when, and what it shares with RIM and with VIM."""

from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.recurrent import WIDTH
from foreframe.predictors.scoff import SCOFF, Settings, build
from foreframe.randomness import Draws
from tests.foreframe.predictors import moving, sliding
from tests.foreframe.predictors.sliding import DIM, FRAMES, ROWS, SIDE, SLOTS

OPTIONS, SCHEMATA = Options(), 4


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {
        "view": moving.view(channels="colour", frames=FRAMES),
        "scene": sliding.scene(),
        "schemata": SCHEMATA,
        "key": 5,
    }
    return Settings(**moving.common("scoff", **(known | changes)))


def model(side: int = SIDE, **changes: Any) -> SCOFF:
    given = moving.given(side, channels=3, frames=FRAMES)
    made: SCOFF = sliding.ready(build(settings(**changes), given))
    return made


@pytest.mark.parametrize("schemata", [1, 5])
def test_the_weights_are_those_of_its_layers(schemata: int) -> None:
    built = model(schemata=schemata)
    cells = schemata * (6 * DIM * DIM + 6 * DIM)
    update = 2 * 6 * DIM + DIM * DIM + cells + 2 * (DIM * 5 + 5)
    scene = sum(each.numel() for each in sliding.model().scene.parameters())
    assert built.trainable() == scene + update


def test_the_next_frame_is_made_of_true_ones_before_it() -> None:
    built, x_BCTHW = model().double(), sliding.clips().double()
    features = built.scene.features(x_BCTHW)
    files = built.scene.discover(features[:, 0], None)
    wanted = []
    for time in range(1, FRAMES):
        files, _ = built.update(files, features[:, time - 1])
        error = built.scene.decoder(files).frame - x_BCTHW[:, :, time]
        wanted.append(error.square().sum(dim=(1, 2, 3)))
    found = built.terms(x_BCTHW, 1, sliding.Repeated(ROWS)).nll
    torch.testing.assert_close(found, torch.stack(wanted, dim=1))
    for time in range(1, FRAMES):
        after = built.terms(moving.perturbed(x_BCTHW, time), 1, sliding.Repeated(ROWS)).nll
        moved = ((after - found).abs() > 1e-9).all(dim=0)
        assert moved.tolist() == [frame >= time for frame in range(1, FRAMES)]


def test_futures_go_on_from_what_was_predicted() -> None:
    built, x_BCTHW, noise = model(), sliding.clips(), sliding.Repeated(ROWS)
    state = built.encode(x_BCTHW[:, :, :2])
    frame, state = built.advance(state, 2, OPTIONS, noise)
    found = built.follow(torch.cat([x_BCTHW[:, :, :2], frame[:, :, None]], dim=2), None)
    torch.testing.assert_close(frame, found.rendered.frame[:, 2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(state.frame, frame)
    further, _ = built.advance(state, 3, OPTIONS, noise)
    again = torch.cat([x_BCTHW[:, :, :2], frame[:, :, None], further[:, :, None]], dim=2)
    shown = built.follow(again, None).rendered.frame[:, 3]
    torch.testing.assert_close(further, shown, rtol=1e-4, atol=1e-5)


def test_a_file_takes_one_schema_whose_cell_alone_moves_it() -> None:
    built, features = model().update, torch.zeros(1, 4, 6)
    files = torch.linspace(-1, 1, SLOTS * DIM).view(1, SLOTS, DIM)
    free, shares = built(files, features)
    assert ((shares - shares.round()).abs() < 1e-6).all()
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(1, SLOTS))
    for schema in range(SCHEMATA):
        forced, picked = built(files, features, forced_BK=torch.full((1, SLOTS), schema))
        wanted = built.cells[schema](torch.zeros(SLOTS, DIM), files[0])
        torch.testing.assert_close(forced[0], wanted)
        assert (picked.argmax(dim=2) == schema).all()
    left, _ = built(files, features, forced_BK=torch.full((1, SLOTS), -1))
    assert torch.equal(left, free)


def test_noise_chooses_in_training_alone_and_every_key_learns() -> None:
    built, x_BCTHW, noise = model(), sliding.clips(), sliding.Repeated(ROWS)
    still = built.terms(x_BCTHW, 0, noise).nll
    assert torch.equal(built.terms(x_BCTHW, 0, sliding.Repeated(ROWS)).nll, still)
    built.train()
    drawn = built.loss({"x": x_BCTHW}, moving.moment())
    drawn["loss"].backward()
    for layer in (built.update.key, built.update.query):
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().max() > 0
    assert built.terms(x_BCTHW, 0, noise).nll[0, 0] != still[0, 0]


def test_a_single_schema_is_always_taken() -> None:
    found = model(schemata=1).follow(sliding.clips(), None).modules
    assert found is not None
    assert found.shape == (ROWS, FRAMES - 1, 1, SLOTS)
    assert (found == 0).all()


def test_named_schemata_make_futures() -> None:
    built, x_BCTHW, noise = model(), sliding.clips()[:, :, :2], sliding.Repeated(ROWS)
    free = torch.full((ROWS, 2, 1, SLOTS), -1)
    rolled = built.roll(x_BCTHW, free, OPTIONS, noise)
    state = built.encode(x_BCTHW)
    torch.testing.assert_close(rolled.frame[:, 0], built.scene.decoder(state.files).frame)
    for time in (2, 3):
        frame, state = built.advance(state, time, OPTIONS, noise)
        torch.testing.assert_close(rolled.frame[:, time - 1], frame, rtol=1e-4, atol=1e-5)
    one, other = (built.roll(x_BCTHW, free * 0 + schema, OPTIONS, noise) for schema in (0, 1))
    assert not torch.allclose(one.frame[:, 1:], other.frame[:, 1:], atol=1e-4)
    with pytest.raises(UserError, match=rf"module {SCHEMATA} is asked for, but SCOFF"):
        built.roll(x_BCTHW, free + SCHEMATA + 1, OPTIONS, noise)


def test_several_steps_between_frames_are_refused() -> None:
    with pytest.raises(UserError, match="iterations is 2, but SCOFF takes one step"):
        model().follow(sliding.clips(), 2)


def test_a_future_does_not_depend_on_what_else_is_asked_for() -> None:
    built = model()
    known = Context(sliding.pictures()[:, :2], [10, 11, 12])
    draws = Draws.each(0, known.numbers, range(WIDTH // 2))
    together = built.predict(known, 3, OPTIONS, draws).frames
    for rows in ([3], [WIDTH + 1, 0]):
        assert torch.equal(built.predict(known, 3, OPTIONS, draws.of(rows)).frames, together[rows])
    nothing = Context(known.frames[:, :0], known.numbers)
    with pytest.raises(UserError, match="cannot generate clips from nothing"):
        built.predict(nothing, 1, OPTIONS, draws)


def test_clips_of_one_frame_train_slots_and_nothing_that_moves_them() -> None:
    built = model().train()
    found = built.loss({"x": sliding.clips(frames=1)}, moving.moment())
    found["loss"].backward()
    assert all(part.grad is None for part in built.update.parameters())
    assert all(part.grad is not None for part in built.scene.parameters())


def test_a_short_training_lowers_the_loss(tmp_path: Path) -> None:
    built = build(settings(view=moving.view(frames=5)), moving.given(16))
    found = moving.losses(built, tmp_path)
    assert found[-1] < 0.8 * found[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"schemata": 0}, "greater than or equal to 1"), ({"key": 0}, "greater than or equal to 1")],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**changes)
