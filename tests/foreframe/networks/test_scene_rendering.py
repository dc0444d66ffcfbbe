"""What rays show: laws of light, of skipping what is empty, and of scenes as sets of objects."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.networks.noise import Fresh
from foreframe.networks.poses import Poses
from foreframe.networks.scene_camera import Camera
from foreframe.networks.scene_rendering import Fields, March, Scene, Shown, render, weights
from foreframe.randomness import generator
from tests.foreframe.networks import scenes
from tests.foreframe.networks.scenes import CAMERA, FEATURES, MARCH, OBJECTS, ROWS, SIDE, poses

LEVEL = Camera(elevation=0.0, azimuth=0.0, distance=3.0, aim=0.0, view=40.0, near=1.0, far=5.0)


def rendered(
    scene: Scene, fields: Fields | None = None, camera: Camera = CAMERA, **changes: Any
) -> Shown:
    rays = camera.rays(SIDE, SIDE).to(scene.poses.place)
    march: March = changes.pop("march", MARCH)
    known = {"noise": None} | changes
    return render(fields or scenes.fields(), scene, rays, march, FEATURES, **known)


def still(place: float = 0.0, scale: float = 0.5) -> Poses:
    """Return one object at a distance behind the origin."""
    at = torch.tensor([[[0.0, place, 0.0]]]).double()
    return Poses(at, torch.full((1, 1, 3), scale).double(), torch.zeros(1, 1).double())


def test_shares_of_a_ray_are_at_most_1_and_1_with_a_background_that_ends_nowhere() -> None:
    shown = rendered(scenes.scene())
    assert shown.features.shape == (ROWS, SIDE * SIDE, FEATURES)
    assert shown.shares.shape == (ROWS, OBJECTS + 1, SIDE * SIDE)
    assert (shown.shares >= 0).all() and (shown.shares.sum(dim=1) <= 1 + 1e-9).all()
    full = Fields(scenes.field(), scenes.constant(1.0, 0.5))
    torch.testing.assert_close(
        rendered(scenes.scene(), full).shares.sum(dim=1), torch.ones(ROWS, SIDE * SIDE).double()
    )
    bare = rendered(scenes.scene(background=False))
    assert bare.shares.shape == (ROWS, OBJECTS, SIDE * SIDE)
    assert (bare.shares.sum(dim=1) <= 1 + 1e-9).all()
    assert (bare.features[bare.shares.sum(dim=1) == 0] == 0).all()


def test_weights_are_alphas_behind_what_was_passed_before() -> None:
    numbers = generator(0, "densities")
    density, step = (numbers.uniform(shape).double() for shape in ((2, 3, 5), (3, 5)))
    alpha = 1 - (-density * step).exp()
    passed = torch.cat([torch.ones(2, 3, 1), (1 - alpha).cumprod(dim=2)[..., :-1]], dim=2)
    torch.testing.assert_close(weights(density, step), alpha * passed)


@pytest.mark.parametrize("density", [0.0, 0.4, 3.0])
def test_a_box_of_constant_density_is_seen_as_its_closed_form(density: float) -> None:
    scale = 0.5
    fields = Fields(scenes.constant(density, 0.7), scenes.constant(0.0, 0.2))
    march = March(points=400, noise=0.0)
    camera = LEVEL.model_copy(update={"view": 2.0})  # every ray passes the box head on
    shown = rendered(scenes.scene(poses=still(scale=scale)), fields, camera, march=march)
    alpha = 1 - math.exp(-density * 2 * scale)
    step = (camera.far - camera.near) / march.points
    near = 2 * density * step  # points are in the box or not
    share = shown.shares[0, 0]
    torch.testing.assert_close(share, torch.full_like(share, alpha), atol=near + 1e-6, rtol=0)
    torch.testing.assert_close(shown.features[0, :, 0], 0.7 * share)


def test_of_two_boxes_the_nearer_hides_the_further() -> None:
    both = Poses(*(torch.cat(each, dim=1) for each in zip(still(0.8), still(-0.8), strict=True)))
    fields = Fields(scenes.constant(50.0, 0.7), scenes.constant(0.0, 0.2))
    camera = LEVEL.model_copy(update={"view": 2.0})
    shown = rendered(scenes.scene(poses=both, background=False), fields, camera)
    assert (shown.shares[0, 1] > 0.999).all() and (shown.shares[0, 0] < 1e-3).all()


def test_one_object_alone_is_its_own_field() -> None:
    """Against a loop over rays and points of one scene."""
    whole = scenes.scene(background=False)
    scene, fields = scenes.picked(whole, [1]), scenes.fields()
    shown, rays = rendered(scene, fields), CAMERA.rays(SIDE, SIDE)
    wide = (CAMERA.far - CAMERA.near) / MARCH.points
    matrix = torch.linalg.inv(scene.poses.matrices[0, 0])
    turn = matrix[:3, :3] * scene.poses.scale[0, 0][:, None]
    for number, way in enumerate(rays.ways.double()):
        passed, wanted = 1.0, torch.zeros(FEATURES).double()
        for place in range(MARCH.points):
            point = rays.begin.double() + (CAMERA.near + wide * (place + 0.5)) * way
            own = matrix[:3, :3] @ point + matrix[:3, 3]
            if own.abs().max() > 1:
                continue
            codes = [each[:1, 0] for each in scene.codes]
            density, sent = fields.objects(
                own[None, None], (turn @ way)[None, None], *codes, None, FEATURES
            )
            reach = wide if place < MARCH.points - 1 else 1e10
            alpha = 1 - math.exp(-density.item() * reach)
            wanted, passed = wanted + passed * alpha * sent[0, 0], passed * (1 - alpha)
        torch.testing.assert_close(shown.features[0, number], wanted, atol=1e-6, rtol=1e-5)


def everything(scene: Scene, **changes: Any) -> list[Tensor]:
    """Return what is shown and the gradients of all that is learned."""
    fields = scenes.fields(density=2.0)
    leaves = [*scene.poses, *scene.codes, *(scene.background or ())]
    known = [each.requires_grad_() for each in leaves]
    shown = rendered(scene, fields, **changes)
    loss = scenes.weighed(shown.features) + scenes.weighed(shown.shares)
    assert fields.background is not None
    learned = [*known, *fields.objects.parameters(), *fields.background.parameters()]
    return [shown.features, shown.shares, *torch.autograd.grad(loss, learned)]


def test_skipping_what_is_empty_changes_nothing() -> None:
    skipped, whole = (everything(scenes.scene(), skip=skip) for skip in (True, False))
    for one, other in zip(skipped, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_the_same_scene_is_the_same_bytes_again() -> None:
    first, second = everything(scenes.scene()), everything(scenes.scene())
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_objects_are_a_set() -> None:
    order = [2, 0, 1]
    shown, moved = (
        rendered(each) for each in (scenes.scene(), scenes.picked(scenes.scene(), order))
    )
    torch.testing.assert_close(moved.features, shown.features)
    torch.testing.assert_close(moved.shares, shown.shares[:, [*order, OBJECTS]])


def test_an_object_that_is_absent_is_as_if_there_were_none() -> None:
    present = torch.ones(ROWS, OBJECTS, dtype=torch.bool)
    present[:, 1] = False
    shown = rendered(scenes.scene(present=present))
    without = rendered(scenes.picked(scenes.scene(), [0, 2]))
    torch.testing.assert_close(shown.features, without.features)
    assert not shown.shares[:, 1].any()
    nothing = rendered(scenes.scene(present=torch.zeros_like(present)))
    torch.testing.assert_close(
        nothing.features, rendered(scenes.picked(scenes.scene(), [])).features
    )


def test_scenes_are_rendered_each_by_itself() -> None:
    whole = rendered(scenes.scene())
    first = Scene(
        Poses(*(each[:1] for each in poses())),
        scenes.codes("objects", ROWS, OBJECTS)._replace(
            shape=scenes.scene().codes.shape[:1], appearance=scenes.scene().codes.appearance[:1]
        ),
        torch.ones(1, OBJECTS, dtype=torch.bool),
        type(scenes.scene().codes)(*(each[:1] for each in scenes.codes("background", ROWS))),
    )
    torch.testing.assert_close(rendered(first).features, whole.features[:1])


def test_the_gradient_reaches_every_number_of_a_pose() -> None:
    _, _, place, scale, turn, *rest = everything(scenes.scene())
    for each in (place, scale, turn, *rest):
        assert each.isfinite().all() and each.abs().max() > 0


def test_in_training_points_and_densities_move() -> None:
    noisy = March(points=MARCH.points, noise=1.0)
    found = [
        rendered(
            scenes.scene(), march=noisy, noise=Fresh(generator(0, name), ROWS, torch.device("cpu"))
        )
        for name in ("one", "one", "two")
    ]
    assert torch.equal(found[0].features, found[1].features)
    assert not torch.allclose(found[0].features, found[2].features, atol=1e-3)
