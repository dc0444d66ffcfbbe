"""Analyses of slots, by a predictor that follows two colours and a walk that is known."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import dynamics_transfer, following, module_rollouts, modules, tracking
from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.metrics import matching
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.sources import random_walk
from tests.foreframe.analyses import asked, pixels
from tests.foreframe.predictors import moving, sliding, test_g_swm, test_scoff

COUNT, FRAMES, SIDE = 10, 6, 8  # more clips than a batch
ALL: dict[str, ModuleType] = {
    "modules": modules,
    "tracking": tracking,
    "module_rollouts": module_rollouts,
    "dynamics_transfer": dynamics_transfer,
}


def ask(path: Path, kind: str, model: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    known: dict[str, Any] = {
        "clips": None,
        "show": 0,
        "side": SIDE,
        "by": "masks",
        "iterations": None,
    }
    chosen = {name: more.pop(name, value) for name, value in known.items()}
    settings = ALL[kind].Settings(kind=kind, **chosen)
    places = pixels.walk(COUNT, FRAMES, SIDE)
    given: dict[str, Any] = {"options": Options(), "states": pixels.states(places)} | more
    frames = given.pop("frames", pixels.frames(places, SIDE))
    model = model or pixels.Pixels()
    return asked.analysed(path / "a.h5", ALL[kind], settings, model, frames, **given)


def test_modules_that_are_moves_agree_with_them(tmp_path: Path) -> None:
    found, stored = ask(tmp_path, "modules")
    values = found.values
    assert values["agreement"] == 1
    assert (values["used"], values["modules"]) == (4, 5)
    assert values["shared"]["mean"] == 0
    for move, module in pixels.MODULE_OF.items():
        said = values["moves"][matching.MOVES[move]]
        assert (said["module"], said["most"], said[f"module_{module}"]) == (module, 1, 1)
        assert stored["proportions"][move].tolist() == [place == module for place in range(5)]
    steps = pixels.walk(COUNT, FRAMES, SIDE).diff(dim=1).double()
    wanted = [int((steps == torch.tensor(step)).all(dim=3).sum()) for step in
              ((-1, 0), (1, 0), (0, -1), (0, 1))]  # fmt: skip
    assert stored["counts"].sum(axis=1).tolist() == wanted


def test_every_iteration_of_a_step_is_counted(tmp_path: Path) -> None:
    found, stored = ask(tmp_path, "modules", iterations=2)
    # The first one of two picks the module that moves nothing.
    assert stored["counts"][:, 2].sum() == stored["counts"].sum() / 2
    assert found.values["agreement"] == pytest.approx(0.5, abs=0.13)


def test_slots_that_see_everything_are_where_objects_are(tmp_path: Path) -> None:
    found, stored = ask(tmp_path, "tracking", show=2)
    assert asked.rows(found, "model", "position") == pytest.approx([0] * FRAMES, abs=1e-5)
    assert found.values["error"]["mean"] == pytest.approx(0, abs=1e-6)
    assert asked.rows(found, "model", "refined") == pytest.approx([1, 0], abs=1e-5)
    real = pixels.frames(pixels.walk(COUNT, FRAMES, SIDE), SIDE)
    for name in ("real", "seen"):
        assert torch.equal(torch.from_numpy(stored[name]), real[:2])
    assert torch.equal(torch.from_numpy(stored["refined"])[:, :, 0], real[:2, 1:])
    # Slots add up to the frame, and each object is in one of them.
    slots = torch.from_numpy(stored["slots"])
    assert torch.equal(slots.sum(dim=1).to(torch.uint8), real[:2])
    assert sorted(int(each.any()) for each in slots[0]) == [0, 1, 1]
    assert set(found.per_clip) == {"position", "error"}


def test_a_slot_that_is_late_is_a_step_away(tmp_path: Path) -> None:
    found, _ = ask(tmp_path, "tracking", pixels.Pixels(late=1))
    assert asked.rows(found, "model", "position") == pytest.approx(
        [0, *[1] * (FRAMES - 1)], abs=1e-5
    )
    assert found.values["position"]["mean"] == pytest.approx(1)
    assert found.values["last"]["mean"] == pytest.approx(1)
    # Two pixels are dark that ought to be bright, and two bright that ought to be dark.
    assert asked.rows(found, "model", "error") == pytest.approx([0, *[4] * (FRAMES - 1)], abs=1e-5)


def test_errors_are_told_iteration_by_iteration(tmp_path: Path) -> None:
    found, stored = ask(tmp_path, "tracking", iterations=3, show=1)
    assert asked.rows(found, "model", "refined") == pytest.approx([1, 1, 1, 0], abs=1e-5)
    assert stored["refined"].shape == (1, FRAMES - 1, 3, SIDE, SIDE, 3)
    assert found.values["nearest"] == 3
    assert found.values["nearer"]["mean"] == pytest.approx(1, abs=1e-5)
    assert found.values["beyond"]["mean"] == 0


def test_places_are_in_the_pixels_that_states_count(tmp_path: Path) -> None:
    places = pixels.walk(COUNT, FRAMES, SIDE)
    # A pixel of 8 is two by two of 16, whose middle lies between them.
    states = {name: 2 * value + 0.5 for name, value in pixels.states(places).items()}
    found, _ = ask(tmp_path, "tracking", pixels.Pixels(late=1), states=states, side=16)
    assert asked.rows(found, "model", "position") == pytest.approx(
        [0, *[2] * (FRAMES - 1)], abs=1e-5
    )


def test_places_can_be_those_of_what_a_slot_adds(tmp_path: Path) -> None:
    model, settings = pixels.Pixels(), following.FollowingSettings
    places = pixels.walk(1, 2, SIDE)
    x_NCTHW = model.scaling.inward(pixels.frames(places, SIDE), None)
    rendered = model.follow(x_NCTHW, None).rendered
    spread = rendered._replace(masks=torch.full_like(rendered.masks, 1 / 3))
    found = {
        by: following.centres(
            spread,
            settings(kind="tracking", clips=None, show=0, side=SIDE, by=by, iterations=None),
        )
        for by in ("masks", "light")
    }
    middle = torch.full((1, 2, 3, 2), (SIDE - 1) / 2).double()
    torch.testing.assert_close(found["masks"], middle)
    torch.testing.assert_close(found["light"][:, :, [2, 1]], places.double(), atol=1e-4, rtol=0)


def test_each_module_moves_objects_its_own_way(tmp_path: Path) -> None:
    found, stored = ask(tmp_path, "module_rollouts", given=FRAMES - 1, show=3)
    said = found.values["modules"]
    for module, (x, y) in pixels.STEPS.items():
        assert (said[module]["x"], said[module]["y"]) == pytest.approx((x, y), abs=1e-5)
    for move, module in pixels.MODULE_OF.items():
        assert said[module][matching.MOVES[move]] == said[module]["most"] == 1
    assert set(stored) == {"real", *(f"module_{module}" for module in range(5))}
    assert stored["real"].shape == (3, FRAMES, SIDE, SIDE, 3)
    last = torch.from_numpy(stored["real"])[:, -2]
    still, right = (torch.from_numpy(stored[f"module_{module}"]) for module in (2, 0))
    assert torch.equal(still, last[:, None].expand(-1, 2, -1, -1, -1))
    assert torch.equal(right, torch.stack([last, last.roll(1, dims=2)], dim=1))


def targets(count: int, frames: int) -> tuple[Tensor, Tensor]:
    """Return places and frames of squares, the first green and the second red: as no ball is."""
    places = 3 * pixels.walk(count, frames, 8)
    shades = [(10, 250, 30), (250, 20, 10)]
    found = [
        [torch.from_numpy(random_walk.draw(things.numpy(), shades, 32, "novel")) for things in clip]
        for clip in places
    ]
    return places, torch.stack([torch.stack(clip) for clip in found])


def test_known_balls_take_over_the_moves_of_what_was_never_seen(tmp_path: Path) -> None:
    places, real = targets(9, 5)
    more = {"states": pixels.states(places), "frames": real, "side": 32, "show": 2}
    found, stored = ask(tmp_path, "dynamics_transfer", pixels.Pixels(step=3), **more)
    for name in ("target", "transferred"):
        assert asked.rows(found, name, "position") == pytest.approx([0] * 5, abs=0.1)
    known = random_walk.draw(places[0, 0].numpy(), [*random_walk.KNOWN[:2]], 32, "known")
    shown = torch.from_numpy(stored["transferred"])[0, 0]
    # The predictor shows what is bright in two channels.
    assert torch.equal(shown[..., :2] > 153, torch.from_numpy(known)[..., :2] > 153)
    assert torch.equal(torch.from_numpy(stored["real"]), real[:2])


def test_modules_of_another_slot_would_not_do(tmp_path: Path) -> None:
    places, real = targets(2, 5)

    class Swapped(pixels.Pixels):
        def follow(self, x_NCTHW: Tensor, iterations: int | None) -> Any:
            found = super().follow(x_NCTHW, iterations)
            assert found.modules is not None
            found.modules[..., 1:] = found.modules[..., [2, 1]]
            return found

    more = {"states": pixels.states(places), "frames": real, "side": 32}
    found, _ = ask(tmp_path, "dynamics_transfer", Swapped(step=3), **more)
    assert found.values["transferred"]["mean"] > 3


def small(name: str, side: int) -> tuple[Any, Any]:
    """Return a small predictor with slots, and how it draws."""
    if name == "vim":
        return sliding.model(side), sliding.SAMPLED
    module: Any = {"scoff": test_scoff, "g_swm": test_g_swm}[name]
    built = module.build(module.settings(), moving.given(side, channels=3))
    return sliding.ready(built), Options() if name == "scoff" else test_g_swm.DRAWN


@pytest.mark.parametrize(
    ("name", "kind"),
    [*[(name, kind) for name in ("vim", "scoff") for kind in ALL], ("g_swm", "tracking")],
)
def test_learned_predictors_are_asked_as_any_other(name: str, kind: str, tmp_path: Path) -> None:
    side = 32 if kind == "dynamics_transfer" else sliding.SIDE
    places = pixels.walk(3, sliding.FRAMES, 8) * (side // 8)
    more = {"states": pixels.states(places), "frames": pixels.frames(places, side)}
    model, options = small(name, side)
    found, stored = ask(tmp_path, kind, model, options=options, side=side, show=1, **more)
    assert found.values and stored
    if kind == "tracking":
        wanted = {"vim": {"latent", "module"}, "scoff": set(), "g_swm": test_g_swm.NAMES}[name]
        assert {f"kl_{each}" for each in wanted} == {
            each for each in found.values if each.startswith("kl_")
        }


@pytest.mark.parametrize("kind", ALL)
def test_a_predictor_without_slots_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CopyLastFrame has no slots"):
        ask(tmp_path, kind, CopyLastFrame())


@pytest.mark.parametrize("kind", ["modules", "module_rollouts", "dynamics_transfer"])
def test_a_predictor_without_modules_is_refused(kind: str, tmp_path: Path) -> None:
    model = pixels.Pixels()
    model.module_count = 0
    with pytest.raises(UserError, match="Pixels has no modules"):
        ask(tmp_path, kind, model)


@pytest.mark.parametrize("kind", ALL)
def test_scenes_without_objects_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the data have no state x_1"):
        ask(tmp_path, kind, states={})


@pytest.mark.parametrize("kind", ALL)
def test_more_objects_than_slots_are_refused(kind: str, tmp_path: Path) -> None:
    states = pixels.states(pixels.walk(COUNT, FRAMES, SIDE).repeat(1, 1, 2, 1))
    with pytest.raises(UserError, match=r"have 4 objects, but Pixels has 3 slots"):
        ask(tmp_path, kind, states=states)


def test_moves_along_both_axes_are_no_single_moves(tmp_path: Path) -> None:
    places = torch.arange(FRAMES)[None, :, None, None].expand(COUNT, -1, 2, 2).clone()
    with pytest.raises(UserError, match="no object moves along one axis alone"):
        ask(tmp_path, "modules", states=pixels.states(places))


def test_nothing_is_followed_in_a_single_frame(tmp_path: Path) -> None:
    places = pixels.walk(COUNT, 1, SIDE)
    with pytest.raises(UserError, match="clips have 1 frame"):
        ask(tmp_path, "tracking", states=pixels.states(places),
            frames=pixels.frames(places, SIDE), given=0)  # fmt: skip


def test_modules_need_a_frame_to_move(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="modules move the slots of a given frame"):
        ask(tmp_path, "module_rollouts", given=0)


def test_known_balls_have_their_own_size_of_frames(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 objects in 8 rows, but known balls have 5 colours"):
        ask(tmp_path, "dynamics_transfer")
