"""Rendered scenes: what rays meet has closed forms, and states tell all that a frame shows."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from foreframe.data import writing
from foreframe.data.writing import Layout
from foreframe.sources import rendered_scenes
from foreframe.sources.rendered_scenes import rendering, scene, solids, stored
from foreframe.sources.rendered_scenes.rendering import AIM, WIDE, Camera, View
from foreframe.sources.rendered_scenes.scene import Scene
from foreframe.sources.rendered_scenes.solids import SHAPES, Solid
from tests.foreframe.sources.synthetic_episodes import gathered, recorded, settings

SIDE = 48
DISTANCE = 2.5


def solid(shape: str = "sphere", **changes: Any) -> Solid:
    known = Solid(shape, 0.0, 0.0, 0.0, 0.3, 0.26, "red", "rubber")
    return replace(known, **changes)


def camera(azimuth: float = 0.2, elevation: float = 0.5, distance: float = DISTANCE) -> Camera:
    return Camera(azimuth, elevation, distance)


def scenes(count: int = 10, **changes: Any) -> list[Scene]:
    chosen = settings("rendered_scenes", **changes)
    return [each for number in range(count) for each in rendered_scenes.clip(chosen, 0, number)]


# ------------------------------------------------------------------- solids


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ray_enters_and_leaves_on_the_surface_which_looks_back_and_on(shape: str) -> None:
    thing = solid(shape, right=0.2, away=-0.1, up=0.05)
    view = View(camera(), SIDE, SIDE)
    rays = view.rays()
    near, far = solids.span(thing, view.camera.place, rays)
    met = (near <= far) & (far > 0)
    ray = rays[0][met], rays[1][met], rays[2][met]
    for distance, side in ((near[met], -1), (far[met], 1)):
        point = solids.along(view.camera.place, ray, distance)
        assert abs(outside(thing, point)).max() < 1e-9
        way = solids.normal(thing, point)
        assert numpy.allclose(solids.dot(way, way), 1)
        assert (side * solids.dot(way, ray) >= -1e-6).all()
    middle = solids.along(view.camera.place, ray, (near[met] + far[met]) / 2)
    assert (outside(thing, middle) <= 0).all()
    # What misses it is outside wherever it is nearest to the middle.
    ray = rays[0][~met], rays[1][~met], rays[2][~met]
    apart: Any = tuple(
        own - there for own, there in zip(thing.middle, view.camera.place, strict=True)
    )
    nearest = solids.dot(apart, ray) / solids.dot(ray, ray)
    assert (outside(thing, solids.along(view.camera.place, ray, nearest)) > 0).all()


def outside(thing: Solid, point: solids.Vector) -> NDArray[Any]:
    """Return how far points are outside of a solid, below 0 inside: a formula of its own."""
    x, y, z = (own - there for own, there in zip(point, thing.middle, strict=True))
    cos, sin = math.cos(thing.turn), math.sin(thing.turn)
    along, across = abs(cos * x + sin * y), abs(cos * y - sin * x)
    if thing.shape == "sphere":
        return numpy.sqrt(x**2 + y**2 + z**2) - thing.size
    if thing.shape == "cube":
        return numpy.maximum(numpy.maximum(along, across), abs(z)) - thing.half
    return numpy.maximum(numpy.hypot(x, y) - thing.size, abs(z) - thing.half)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_solid_stands_on_its_place_and_inside_of_its_circle(shape: str) -> None:
    thing = solid(shape)
    corners = [
        (reach * math.cos(angle), reach * math.sin(angle), up)
        for reach in (0.0, 0.9 * thing.size, 1.01 * thing.size)
        for angle in numpy.linspace(0, 2 * math.pi, 40)
        for up in (-0.01, thing.half, 2 * thing.half + 0.01)
    ]
    far = outside(thing, tuple(numpy.array(corners).T))
    beyond = numpy.array([math.hypot(x, y) > thing.size for x, y, _ in corners])
    up = numpy.array([height for *_, height in corners])
    assert (far[beyond | (up < 0) | (up > 2 * thing.half)] > 0).all()
    assert far[0 * len(corners) + 1] < 0  # the middle


@pytest.mark.parametrize("ray", [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)])
def test_rays_along_an_axis_divide_by_nothing(ray: tuple[float, float, float]) -> None:
    for shape in SHAPES:
        thing = solid(shape, turn=0.0)
        begin = tuple(own - 2 * step for own, step in zip(thing.middle, ray, strict=True))
        near, far = solids.span(thing, begin, ray)  # type: ignore[arg-type]
        reach = thing.half if shape == "cube" else thing.size
        assert (float(near), float(far)) == pytest.approx((2 - reach, 2 + reach))
        aside = tuple(own + 2 * (step == 0) for own, step in zip(begin, ray, strict=True))
        near, far = solids.span(thing, aside, ray)  # type: ignore[arg-type]
        assert near > far


# ------------------------------------------------------------------- frames


def test_a_place_on_the_floor_is_as_deep_as_its_ray_is_long() -> None:
    view = View(camera(), SIDE, SIDE)
    seen = rendering.look([], view.camera, SIDE, SIDE)
    ahead, *_ = view.camera.axes
    for row, column in ((30, 5), (40, 40), (47, 0)):
        ray = tuple(each[row, column] for each in view.rays())
        point = solids.along(view.camera.place, ray, seen.depth[row, column])
        assert point[2] == pytest.approx(0, abs=1e-12)
        assert view.pixel(point) == pytest.approx((column, row), abs=1e-6)
        apart = [here - there for here, there in zip(point, view.camera.place, strict=True)]
        assert solids.dot(tuple(apart), ahead) == pytest.approx(seen.depth[row, column])
    assert view.pixel((0.0, 0.0, AIM)) == pytest.approx(((SIDE - 1) / 2,) * 2)


def test_a_sphere_in_the_middle_covers_the_disc_of_its_angle() -> None:
    ball = solid(up=AIM - 0.14, size=0.14)  # above the floor, all of it
    seen = rendering.look([ball], camera(), 400, 400)
    # Its edge is seen at the angle whose sine is radius over distance.
    edge = 0.14 / math.sqrt(DISTANCE**2 - 0.14**2) / (2 * WIDE)
    assert (seen.solids == 1).mean() == pytest.approx(math.pi * edge**2, rel=0.01)
    assert seen.depth[seen.solids == 1].min() == pytest.approx(DISTANCE - 0.14, abs=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_camera_that_goes_around_sees_the_scene_turned(shape: str) -> None:
    thing = solid(shape, right=0.4, away=-0.2)
    turned = replace(
        thing,
        right=math.cos(0.7) * thing.right - math.sin(0.7) * thing.away,
        away=math.sin(0.7) * thing.right + math.cos(0.7) * thing.away,
        turn=thing.turn + 0.7,
    )
    one = rendering.look([thing], camera(), SIDE, SIDE)
    other = rendering.look([turned], camera(azimuth=0.9), SIDE, SIDE)
    assert (one.solids != other.solids).sum() <= 1
    numpy.testing.assert_allclose(one.depth, other.depth, rtol=1e-6, atol=0.05)


def test_what_is_nearest_is_seen_in_any_order() -> None:
    for each in scenes(most_objects=6, frames_per_episode=1):
        seen = each.look(SIDE, SIDE)
        alone = [rendering.look([thing], each.camera, SIDE, SIDE).depth for thing in each.solids]
        bare = rendering.look([], each.camera, SIDE, SIDE).depth
        nearest = numpy.argmin([bare, *alone], axis=0)
        assert numpy.array_equal(seen.solids, nearest)
        assert numpy.array_equal(seen.depth, numpy.min([bare, *alone], axis=0))
        back = replace(each, solids=each.solids[::-1])
        mirrored = back.look(SIDE, SIDE)
        wanted = numpy.where(seen.solids > 0, len(each.solids) + 1 - seen.solids, 0)
        assert numpy.array_equal(mirrored.solids, wanted)
        assert numpy.array_equal(each.picture(SIDE, SIDE), back.picture(SIDE, SIDE))
        assert numpy.array_equal(mirrored.shares, seen.shares[::-1])


def test_shares_are_of_what_is_seen_without_the_others() -> None:
    for each in scenes(most_objects=6, frames_per_episode=1):
        seen = each.look(SIDE, SIDE)
        for number, thing in enumerate(each.solids, start=1):
            whole = (rendering.look([thing], each.camera, SIDE, SIDE).solids == 1).sum()
            assert seen.shares[number - 1] == (seen.solids == number).sum() / whole


def test_looking_at_a_part_of_the_frame_alone_misses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = scenes(most_objects=6, frames_per_episode=2)
    parts = [each.picture(SIDE, SIDE) for each in found]
    whole = slice(None), slice(None)
    monkeypatch.setattr(View, "around", lambda self, thing: whole)
    assert all(
        numpy.array_equal(each.picture(SIDE, SIDE), part)
        for each, part in zip(found, parts, strict=True)
    )


def test_shadows_fall_away_from_the_light_and_on_what_stands_there() -> None:
    high = camera(azimuth=0.0, elevation=1.4)
    tall = solid("cylinder")
    bare, shaded = (rendering.picture(each, high, SIDE, SIDE)[0] for each in ([], [tall]))
    floor = rendering.look([tall], high, SIDE, SIDE).solids == 0
    darker = floor & (shaded.astype(int).sum(axis=2) < bare.astype(int).sum(axis=2) - 30)
    rows, columns = numpy.nonzero(darker)
    x, y = View(high, SIDE, SIDE).pixel((0.0, 0.0, 0.0))
    assert len(rows) > 20
    assert (columns.mean() - x) * -rendering.LIGHT[0] > 0
    assert (y - rows.mean()) * -rendering.LIGHT[1] > 0
    # A ball in the shadow is darker than the same one in the light.
    behind = solid(right=0.36, away=0.27, size=0.16, colour="white")
    lit, dark = (rendering.picture(each, high, SIDE, SIDE) for each in ([behind], [behind, tall]))
    own = (dark[1].solids == 1)[::2, ::2] & (lit[1].solids == 1)[::2, ::2]
    assert dark[0][own].mean() < 0.8 * lit[0][own].mean()


def test_metal_shines_and_colours_differ() -> None:
    def bright(**changes: Any) -> NDArray[Any]:
        thing = solid(**changes)
        frame, seen = rendering.picture([thing], camera(), SIDE, SIDE)
        return frame[(seen.solids == 1)[::2, ::2]].astype(int)

    assert bright(material="metal").min(axis=1).max() > bright().min(axis=1).max() + 40
    means = [bright(colour=name).mean(axis=0) for name in rendering.COLOURS]
    assert min(abs(one - other).max() for one, other in combinations(means, 2)) > 20


# ------------------------------------------------------------------- scenes


@pytest.mark.parametrize("moving", ["camera", "object"])
def test_solids_stand_apart_on_the_floor_whatever_moves(moving: str) -> None:
    found = scenes(40, moving=moving, most_objects=6)
    for each in found:
        assert 2 <= len(each.solids) <= 6
        for one, other in combinations(each.solids, 2):
            assert rendered_scenes.apart(one, other) >= rendered_scenes.GAP - 1e-6
        for thing in each.solids:
            assert thing.up == 0
            assert max(abs(thing.right), abs(thing.away)) <= rendered_scenes.AREA + 1e-6
    assert {len(each.solids) for each in found} == {2, 3, 4, 5, 6}
    for place, table in scene.TABLES.items():
        assert {getattr(thing, place) for each in found for thing in each.solids} == set(table)


def test_one_thing_moves_and_evenly() -> None:
    for number in range(10):
        chosen = {kind: settings("rendered_scenes", moving=kind) for kind in ("camera", "object")}
        clips = {kind: rendered_scenes.clip(each, 0, number) for kind, each in chosen.items()}
        assert clips["camera"][0] == clips["object"][0]
        around = numpy.diff([each.camera.azimuth for each in clips["camera"]])
        assert numpy.allclose(abs(around), rendered_scenes.AROUND / 11, atol=1e-6)
        assert len({each.solids for each in clips["camera"]}) == 1
        places = numpy.array(
            [[(thing.right, thing.away) for thing in each.solids] for each in clips["object"]]
        )
        steps = numpy.diff(places, axis=0)
        assert numpy.allclose(steps, steps[0], atol=1e-6)
        assert (abs(steps[0]).sum(axis=1) > 0).sum() == 1
        assert len({each.camera for each in clips["object"]}) == 1


def test_everything_is_seen_in_the_first_frame() -> None:
    for each in scenes(30, most_objects=6, frames_per_episode=1):
        assert each.look(32, 32).shares.min() >= rendered_scenes.SEEN


def test_states_tell_the_scene_and_its_frame_is_drawn_again_to_the_last_byte() -> None:
    names = scene.names(3)
    for *_, found in recorded("rendered_scenes", moving="object"):
        for frame, states in zip(found["frames"], found["states"], strict=True):
            told = scene.of_states(names, states)
            assert numpy.array_equal(told.picture(32, 32), frame)
            fine = rendering.picture(told.solids, told.camera, 32, 32)[1]
            assert numpy.array_equal(scene.states(told, fine, 3, 32, 32), states)


def test_places_in_the_frame_are_those_of_masks() -> None:
    ball = solid(right=0.3, away=0.1)
    each = Scene(camera(), (ball,)).kept()
    seen = each.look(SIDE, SIDE)
    rows, columns = numpy.nonzero(seen.solids == 1)
    names, told = scene.names(2), scene.states(each, seen, 2, SIDE, SIDE)
    known = dict(zip(names, told.tolist(), strict=True))
    assert (known["x_1"], known["y_1"]) == pytest.approx((columns.mean(), rows.mean()), abs=0.6)
    assert not any(known[f"{name}_2"] for name in scene.OF_SOLID)


EDITS: dict[str, Callable[[Scene], Scene]] = {
    "moved": lambda each: each.moved(0, 0.1, -0.1),
    "recoloured": lambda each: each.changed(0, colour="cyan", material="metal"),
    "removed": lambda each: each.without(0),
    "added": lambda each: each.beside(solid(right=-0.9, away=-0.3)),
    "turned": lambda each: each.seen_from(azimuth=each.camera.azimuth + 0.2),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_what_it_names_and_nothing_else(name: str) -> None:
    before = Scene(camera(), (solid(), solid("cube", right=0.7, away=0.4))).kept()
    after = EDITS[name](before)
    assert before == Scene(camera(), (solid(), solid("cube", right=0.7, away=0.4))).kept()
    one, other = before.look(SIDE, SIDE), after.look(SIDE, SIDE)
    assert (after.camera == before.camera) == (name != "turned")
    cube = len(after.solids) - 1 if name == "removed" else 1
    assert after.solids[cube] == before.solids[1]
    assert (name == "recoloured") == numpy.array_equal(one.solids, other.solids)
    assert not numpy.array_equal(before.picture(SIDE, SIDE), after.picture(SIDE, SIDE))
    if name != "turned":
        assert numpy.array_equal(one.solids == 2, other.solids == cube + 1)


# ---------------------------------------------------------------- the files


def test_stored_frames_have_the_masks_of_their_scenes(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    chosen = settings("rendered_scenes", train_episodes=3, test_episodes=1)
    stream = rendered_scenes.stream(chosen, 0, Path(), 1, 0)
    frames = []
    with writing.creating(
        path, Layout(32, 32, 0.1, chosen.kind, (), stream.states, {}, 4)
    ) as writer:
        for episode in rendered_scenes.stream(chosen, 0, Path(), 1, 0).episodes:
            frames.append(gathered(episode)["frames"])
        for episode in stream.episodes:
            list(writer.add(episode))
    known = stored.of(path)
    assert known is not None
    for number, frame in enumerate(numpy.concatenate(frames)):
        own = known.scene(number)
        assert numpy.array_equal(own.picture(32, 32), frame)
        assert set(numpy.unique(known.masks(number))) == set(range(len(own.solids) + 1))


def test_other_states_tell_no_scene() -> None:
    assert scene.tells(scene.names(1))
    assert not scene.tells(("x_1", "y_1"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fewest_objects": 4}, "fewest_objects is above most_objects. Swap"),
        ({"elevation_jitter": 25.0}, "between 5 and 55 degrees; it can be from 10 to 85. Lower"),
        ({"moving": "nothing"}, "frames_per_episode is 12, but nothing is moving. Set it to 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings("rendered_scenes", **changes)
