"""Pictures as scenes and back: stages of training, what is told apart, and what moves pixels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.models import Model
from foreframe.networks.noise import Fresh
from foreframe.predictors import Context
from foreframe.predictors.rebuilding import summed
from foreframe.predictors.rendering import RenderedScenes
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import pairs, rendered
from tests.foreframe.predictors.rendered import ROWS, SIDE, SMALL, given, model, pictures
from tests.foreframe.training import games

BOTH = ("inferno", "nerf_autoencoder")
ALL = (*BOTH, "slot_autoencoder")


@pytest.mark.parametrize("kind", ALL)
def test_pictures_come_back_each_by_itself_and_are_what_is_predicted(kind: str) -> None:
    found, real = model(kind), pictures()[:, None]
    again = found.reconstruct(real, 0).frames
    assert again.shape == real.shape and again.dtype == torch.uint8
    assert torch.equal(found.reconstruct(real[1:], 0).frames, again[1:])
    context = Context(real[:, :0], [4, 7, 9], whole=real)
    futures = found.predict(context, 1, Options(), Draws.each(0, [9, 4], range(2)))
    assert torch.equal(futures.frames, again[[2, 2, 0, 0]])


@pytest.mark.parametrize("kind", ALL)
def test_what_is_given_or_not_shown_whole_is_refused(kind: str) -> None:
    real = pictures()[:, None]
    for context in (Context(real[:, :0], [0, 1, 2]), Context(real, [0, 1, 2], whole=real)):
        with pytest.raises(UserError, match=r"context to 0 and its context_encoding to full_clip"):
            model(kind).predict(context, 1, Options(), Draws.first(0, [0]))


@pytest.mark.parametrize("kind", ALL)
def test_the_loss_is_the_summed_error_and_reaches_every_weight(kind: str) -> None:
    found = model(kind)
    x = found.pictures(pictures())
    wanted = (found.made(x, None) - x).square().sum() / ROWS
    loss = found.loss({"x": x[:, :, None]}, pairs.moment())
    torch.testing.assert_close(loss["loss"], wanted)
    torch.testing.assert_close(loss["mse"], wanted / x[0].numel())
    moved = {name: each for name, each in found.named_parameters() if each.requires_grad}
    gradients = torch.autograd.grad(loss["loss"], list(moved.values()))
    still = {name for name, each in zip(moved, gradients, strict=True) if not each.any()}
    assert all(each.isfinite().all() for each in gradients)
    # A single slot takes all features, whatever it looks for.
    searching = ("key", "query", "slots_norm")
    assert all(kind == "nerf_autoencoder" and name.split(".")[2] in searching for name in still)


@pytest.mark.parametrize("kind", ALL)
def test_masks_are_shares_of_a_picture_and_parts_are_shown_alone(kind: str) -> None:
    found, real = model(kind), pictures()
    masks, alone = found.masks(real), found.alone(real)
    assert masks.shape[:2] == (ROWS, found.slot_count)
    torch.testing.assert_close(masks.sum(dim=1), torch.ones_like(masks[:, 0]))
    parts = 1 if kind == "nerf_autoencoder" else found.slot_count
    assert alone.shape == (ROWS, parts, SIDE, SIDE, 3)


def test_masks_may_be_what_is_seen_of_each_object() -> None:
    found, real = model("inferno", masks_of="rendering"), pictures()
    scene = found.found(found.pictures(real), None).scene
    shown = found.rendered(scene, found.settings.camera, (SIDE, SIDE), 3, None)
    masks = found.masks(real)
    assert torch.equal(masks, shown.shares) and masks.sum(dim=1).max() <= 1 + 1e-6


@pytest.mark.parametrize("kind", BOTH)
def test_the_first_phases_show_a_small_map_through_the_upscaler(kind: str) -> None:
    found, x = model(kind), model(kind).pictures(pictures())
    camera = found.settings.camera
    scene = found.found(x, None).scene
    assert not found.upscaling
    full = found.pictured(scene, camera)
    found.objective().enter(0)
    assert found.upscaling and all(each.requires_grad for each in found.upscaler.parameters())
    features = found.small(scene, camera, None)
    assert features.shape == (ROWS, 5, SMALL, SMALL)
    torch.testing.assert_close(found.pictured(scene, camera), found.upscaler(features))
    half = functional.avg_pool2d(x, SIDE // SMALL)
    wanted = summed(found.upscaler(features) - x) + 0.5 * summed(features[:, :3] - half)
    torch.testing.assert_close(found.error(x, None), wanted)
    found.objective().enter(1)
    assert not any(each.requires_grad for each in found.upscaler.parameters())
    torch.testing.assert_close(found.pictured(scene, camera), full)
    torch.testing.assert_close(found.error(x, None), summed(full - x))


@pytest.mark.parametrize("kind", BOTH)
def test_one_that_never_leaves_its_upscaler_keeps_it(kind: str) -> None:
    assert model(kind, upscaler=rendered.UPSCALER | {"phases": 2}).upscaling
    bare = model(kind, upscaler=None)
    assert bare.upscaler is None and not bare.upscaling


@pytest.mark.parametrize("kind", BOTH)
def test_in_training_what_is_drawn_is_that_of_the_step(kind: str) -> None:
    found = model(kind, march=rendered.MARCH | {"noise": 1.0}).train()
    x = found.pictures(pictures())
    one, two, other = (
        found.error(x, Fresh(generator(0, name), ROWS, x.device)) for name in ("a", "a", "b")
    )
    assert torch.equal(one, two) and not torch.equal(one, other)


def brightness(found: RenderedScenes, scene: Any) -> Any:
    return found.pictured(scene, found.settings.camera)


def test_moving_a_pose_moves_pixels_and_nothing_of_an_absent_object_does() -> None:
    found = model("inferno")
    scene = found.found(found.pictures(pictures()[:1]), None).scene
    right = scene.poses._replace(place=scene.poses.place + torch.tensor([0.2, 0.0, 0.0]))
    before, after = (brightness(found, replace(scene, poses=each)) for each in (scene.poses, right))
    assert (after - before).abs().max() > 1e-3
    nothing = replace(scene, present=torch.zeros_like(scene.present))
    gone, moved = (brightness(found, replace(nothing, poses=each)) for each in (scene.poses, right))
    assert torch.equal(gone, moved)


def test_the_parts_of_a_scene_are_what_is_left_when_all_else_is_gone() -> None:
    found, real = model("inferno"), pictures()[:1]
    scene = found.found(found.pictures(real), None).scene
    nothing = replace(scene, present=torch.zeros_like(scene.present))
    behind = found.outward(brightness(found, nothing))
    assert torch.equal(found.alone(real)[:, -1], behind)


def trained(built: Model, path: Path, steps: int) -> tuple[float, float]:
    """Return the error before and after some steps."""
    count = 24
    x = rendered.model("inferno").pictures(pictures(count))[:, :, None]
    before = built.loss({"x": x}, pairs.moment())["loss"].item()  # type: ignore[operator]
    pairs.trained(built, path, x)
    built.eval()
    after = built.loss({"x": x}, pairs.moment())["loss"].item()  # type: ignore[operator]
    return before, after


@pytest.mark.parametrize("kind", ALL)
def test_it_learns_through_both_stages(kind: str, tmp_path: Path) -> None:
    phases = tuple(games.phase(steps=each, batch_size=8) for each in (20, 20))
    plan = games.plan(phases=phases, players={"model": games.adam(learning_rate=0.01)}, log_every=1)
    before, after = trained(model(kind, training=plan), tmp_path, 40)
    assert after < 0.8 * before


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("side", [6, 16])
def test_a_map_that_does_not_double_to_the_picture_is_refused(kind: str, side: int) -> None:
    changes = {"upscaler": rendered.UPSCALER | {"side": side}}
    settings = {"inferno": rendered.inferno_settings, "nerf_autoencoder": rendered.nerf_settings}
    module = type(model(kind)).__module__
    with pytest.raises(UserError, match=rf"upscaler\.side is {side}, and doubling it does not"):
        __import__(module, fromlist=["build"]).build(settings[kind](**changes), given())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ("digit",)}, "labels is digit, but inferno is told nothing"),
        ({"upscaler": rendered.UPSCALER | {"phases": 3}}, "upscaler.phases is 3, but there are 2"),
        ({"view": pairs.frames(frames=2, channels="colour")}, "view.frames is 2"),
        ({"view": pairs.frames(channels="grey")}, "view.channels is grey"),
        ({"training": pairs.plan()}, "those of this inferno are model"),
        ({"features": 2}, "greater than or equal to 3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rendered.inferno_settings(**changes)
