"""Scenes of a small INFERNO that are edited, seen from elsewhere, and taken apart."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import novel_views, scene_edits, slot_renders
from foreframe.analyses.scene_edits import EDITS, edits, joined
from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.networks.scene_rendering import Scene
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.inferno import Inferno
from foreframe.randomness import generator
from tests.foreframe.analyses import asked, test_segmentation
from tests.foreframe.predictors import rendered

COUNT = 3
KINDS: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "scene_edits": (
        scene_edits,
        {"most_removed": 1, "shift": 0.2, "shrink": 0.5, "seen": 0.0, "few": "allow"},
    ),
    "novel_views": (novel_views, {"turn": 15.0, "zooms": (1.3, 1.7)}),
    "slot_renders": (slot_renders, {}),
}


def ask(
    path: Path, kind: str, model: Any, show: int = 2, **more: Any
) -> tuple[Any, dict[str, Tensor]]:
    module, known = KINDS[kind]
    frames = more.pop("frames", rendered.pictures(COUNT)[:, None])
    chosen = module.Settings(kind=kind, clips=None, show=show, **(known | more.pop("of", {})))
    found, stored = asked.analysed(
        path / "a.h5", module, chosen, model, frames, given=0, options=Options(), **more
    )
    return found, {name: torch.from_numpy(each) for name, each in stored.items()}


def scenes(model: Inferno) -> tuple[Scene, Scene]:
    found = model.found(model.pictures(rendered.pictures(2)), None).scene
    one, two = (
        Scene(
            type(found.poses)(*(each[row : row + 1] for each in found.poses)),
            type(found.codes)(*(each[row : row + 1] for each in found.codes)),
            found.present[row : row + 1],
            found.codes.__class__(*(each[row : row + 1] for each in found.background or ())),
        )
        for row in range(2)
    )
    return one, two


def settings(**changes: Any) -> scene_edits.Settings:
    return scene_edits.Settings(
        kind="scene_edits", clips=None, show=0, **(KINDS["scene_edits"][1] | changes)
    )


def edited(**changes: Any) -> tuple[Scene, Scene, dict[str, Scene]]:
    model = rendered.model("inferno")
    own, lent = scenes(model)
    return own, lent, edits(model, own, lent, settings(**changes), generator(0, "edit"))


def test_an_edit_changes_what_it_is_about_and_nothing_else() -> None:
    own, lent, found = edited()
    assert found.keys() == set(EDITS)
    gone, count = found["remove"].present, own.present.shape[1]
    assert gone.sum() == count - 1
    (left,) = gone[0].nonzero().flatten().tolist()
    for name, axis in (("right", 0), ("forward", 1)):
        moved = found[name].poses.place - own.poses.place
        wanted = torch.zeros_like(moved)
        wanted[0, left, axis] = 0.2
        torch.testing.assert_close(moved, wanted)
        assert torch.equal(found[name].present, gone)
        assert torch.equal(found[name].poses.scale, own.poses.scale)
    ratio = found["scale"].poses.scale / own.poses.scale
    assert ratio[0, left].tolist() == pytest.approx([0.5] * 3)
    assert torch.equal(found["scale"].poses.place, own.poses.place)
    assert found["add"].present.shape[1] == count + 1
    torch.testing.assert_close(found["add"].poses.place[:, :count], own.poses.place)
    added = found["add"].codes.shape[0, -1]
    assert any(torch.equal(added, each) for each in lent.codes.shape[0])
    swapped = found["swap"]
    assert all(torch.equal(*each) for each in zip(swapped.poses, own.poses, strict=True))
    other = (swapped.codes.shape != own.codes.shape).any(dim=2)
    assert other.sum() == 1


def test_objects_that_are_not_seen_are_not_edited() -> None:
    own, _, found = edited(seen=0.9)
    for name in ("remove", "scale", "right", "forward"):
        assert torch.equal(found[name].present, own.present)
        assert torch.equal(found[name].poses.place, own.poses.place)


def test_scenes_are_joined_before_the_first_background() -> None:
    model = rendered.model("inferno")
    own, lent = scenes(model)
    both = joined(own, replace(lent, present=torch.zeros_like(lent.present)))
    camera = model.settings.camera
    torch.testing.assert_close(model.pictured(both, camera), model.pictured(own, camera))


def test_edited_pictures_are_stored_beside_the_true_one_and_measured(tmp_path: Path) -> None:
    frames, _, _ = test_segmentation.drawn()
    model = rendered.built("inferno", frames.shape[2], upscaler=None)
    found, stored = ask(tmp_path, "scene_edits", model, frames=frames[:COUNT])
    shown = stored["frames"]
    assert shown.shape[:2] == (2, 2 + len(EDITS))
    assert torch.equal(shown[:, 0], frames[:2, 0])
    assert torch.equal(shown[:, 1], model.reconstruct(frames[:2], 0).frames[:, 0])
    moving = stored["moving"]
    assert moving.shape[:2] == (2, scene_edits.STEPS)
    assert torch.equal(moving[:, scene_edits.STEPS // 2], shown[:, 1])
    assert not torch.equal(moving[:, 0], moving[:, -1])
    for name in EDITS:
        assert found.values[name]["changed"]["mean"] > 0
        assert found.values[name]["distance"]["few"]
    assert found.values["again"]["distance"]["value"] > 0
    other, _ = ask(tmp_path, "scene_edits", model, frames=frames[:COUNT], of={"few": "refuse"})
    assert other.values["add"]["distance"]["value"] is None
    assert other.values["add"]["distance"]["missing"]


@pytest.mark.parametrize("kind", ["inferno", "nerf_autoencoder"])
def test_views_are_those_of_cameras_that_moved(kind: str, tmp_path: Path) -> None:
    model = rendered.model(kind)
    found, stored = ask(tmp_path, "novel_views", model)
    assert stored["frames"].shape[:2] == (2, 2 + 2 + 2)
    scene = model.found(model.pictures(rendered.pictures(1)), None).scene
    own = model.settings.camera
    for place, camera in ((2, own.turned(15.0)), (3, own.turned(-15.0)), (5, own.zoomed(1.7))):
        seen = model.outward(model.pictured(scene, camera))
        assert torch.equal(stored["frames"][0, place], seen[0])
    assert found.values.keys() == {"right", "left", "zoom_1", "zoom_2"}
    assert all(each["changed"]["mean"] > 0 for each in found.values.values())
    assert "mse" not in found.values["right"]


def test_views_of_scenes_that_can_be_rendered_again_have_a_truth(tmp_path: Path) -> None:
    frames, states, _ = test_segmentation.drawn()
    side = frames.shape[2]
    built = rendered.built("inferno", side, upscaler=None)
    found, _ = ask(tmp_path, "novel_views", built, frames=frames, states=states)
    for name in ("right", "left"):
        assert found.values[name]["mse"]["mean"] > 0 < found.values[name]["stay"]["mean"]


@pytest.mark.parametrize("kind", ["inferno", "nerf_autoencoder", "slot_autoencoder"])
def test_every_slot_is_shown_beside_the_picture(kind: str, tmp_path: Path) -> None:
    model = rendered.model(kind)
    found, stored = ask(tmp_path, "slot_renders", model)
    slots = model.slot_count
    assert stored["frames"].shape[:2] == (2, 2 + slots)
    assert torch.equal(stored["frames"][:, 2:], model.alone(rendered.pictures(2)))
    assert len(found.values["bright"]) == slots
    assert ("small" in stored) == (kind != "slot_autoencoder")
    if kind != "slot_autoencoder":
        enlarged = stored["small"][2]
        assert torch.equal(enlarged[:, ::2, ::2], enlarged[:, 1::2, 1::2])


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("scene_edits", "CopyLastFrame finds no objects with poses"),
        ("novel_views", "CopyLastFrame renders no scenes"),
        ("slot_renders", "CopyLastFrame shows no slots"),
    ],
)
def test_a_predictor_that_finds_no_scenes_is_refused(kind: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        ask(tmp_path, kind, CopyLastFrame())


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="of 1 picture no object can be lent"):
        ask(
            tmp_path, "scene_edits", rendered.model("inferno"), frames=rendered.pictures(1)[:, None]
        )
    with pytest.raises(ValueError, match="show is 0, but slots are to be looked at"):
        slot_renders.Settings(kind="slot_renders", clips=None, show=0)
