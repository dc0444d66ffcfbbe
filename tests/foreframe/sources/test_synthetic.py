"""Laws of the synthetic sources: position-addressed episodes, and the motion each promises."""

import math
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from foreframe import kinds
from foreframe.data import labels
from foreframe.randomness import numpy_generator
from foreframe.sources import drawn_objects, gaussian_grid, random_walk, sinusoid
from tests.foreframe.sources.synthetic_episodes import MORE, equal, gathered, recorded, settings


@pytest.mark.parametrize("kind", MORE)
def test_an_episode_depends_on_the_seed_and_its_number_alone(kind: str) -> None:
    whole = recorded(kind)
    assert equal(whole[7:], recorded(kind, first=7))
    assert not equal(whole, recorded(kind, seed=1))
    # More episodes to learn from leave those that there were as they are.
    more = recorded(kind, train_episodes=20)
    assert equal(whole[:10], more[:10])


def test_two_processes_make_the_same_episodes() -> None:
    assert equal(recorded("random_walk"), recorded("random_walk", workers=2))


@pytest.mark.parametrize(
    "kind", [kind for kind in MORE if kind not in ("dynamics", "cups_and_ball")]
)
def test_an_episode_may_be_a_single_image(kind: str) -> None:
    for (*_, image), (*_, film) in zip(
        recorded(kind, frames_per_episode=1), recorded(kind), strict=True
    ):
        assert image["frames"].shape == (1, 32, 32, 3)
        if kind != "gaussian_grid":  # whose points are drawn together
            assert numpy.array_equal(image["frames"], film["frames"][:1])


@pytest.mark.parametrize("kind", MORE)
def test_frames_states_and_sets_are_as_promised(kind: str) -> None:
    module = kinds.find("foreframe.sources", kind)
    stream = module.stream(settings(kind), 0, Path(), 1, 0)
    parts = []
    for episode in stream.episodes:
        found = gathered(episode)
        parts.append(episode.part)
        assert episode.total == 20
        assert found["frames"].shape == (12, 32, 32, 3)
        assert found["frames"].dtype == numpy.uint8
        assert found["actions"].shape == (12, len(stream.actions))
        assert found["states"].shape == (12, len(stream.states))
    assert parts == ["train"] * 10 + ["test"] * 10


# -------------------------------------------------------------- random walk


def test_every_atomic_step_is_one_of_four_and_all_are_as_likely() -> None:
    found = [each["actions"] for *_, each in recorded("random_walk", frames_per_episode=200)]
    steps = numpy.concatenate(found).reshape(-1, 2)
    kinds_, counts = numpy.unique(steps, axis=0, return_counts=True)
    assert {tuple(kind) for kind in kinds_} == {(-3, 0), (3, 0), (0, -3), (0, 3)}
    # Moves out of the frame are drawn again, which keeps the balance by symmetry.
    expected = len(steps) / 4
    assert (((counts - expected) ** 2) / expected).sum() < 16.3  # chi squared, 3 degrees, 0.1 %


def test_actions_lead_from_state_to_state_and_balls_stay_inside() -> None:
    for *_, found in recorded("random_walk", fewest_moves=2, most_moves=5):
        states, actions = found["states"], found["actions"]
        assert numpy.array_equal(states[:-1] + actions[:-1], states[1:])
        assert states.min() >= 3
        assert states.max() <= 28


def test_compositional_steps_are_sums_and_never_a_single_move() -> None:
    found = recorded("random_walk", fewest_moves=2, most_moves=4, frames_per_episode=100)
    steps = numpy.concatenate([each["actions"] for *_, each in found]).reshape(-1, 2) / 3
    lengths = abs(steps).sum(axis=1)
    assert (steps == steps.round()).all()
    assert set(lengths) == {0, 2, 3, 4}


def test_novel_balls_walk_as_the_known_ones_do_and_look_different() -> None:
    known, novel = (recorded("random_walk", looks=looks) for looks in ("known", "novel"))
    for (*_, one), (*_, other) in zip(known, novel, strict=True):
        assert numpy.array_equal(one["states"], other["states"])
        assert not numpy.array_equal(one["frames"], other["frames"])
    assert not set(random_walk.KNOWN) & set(random_walk.NOVEL)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_a_ball_is_drawn_where_its_state_says(side: int) -> None:
    for *_, found in recorded("random_walk", balls=1, height=side, width=side):
        for frame, (x, y) in zip(found["frames"], found["states"], strict=True):
            weights = frame.astype(float).sum(axis=2)
            # States count pixels of 32 rows.
            rows, columns = (numpy.mgrid[:side, :side] + 0.5) * 32 / side - 0.5
            assert math.isclose((weights * columns).sum() / weights.sum(), x, abs_tol=0.05)
            assert math.isclose((weights * rows).sum() / weights.sum(), y, abs_tol=0.05)


# ------------------------------------------------- sinusoid, grid of Gaussians


def test_a_wave_is_a_sine_of_the_frequency_with_noise_of_a_tenth() -> None:
    content = settings("sinusoid", points=100, frames_per_episode=30)
    values = sinusoid.wave(content, numpy_generator(0, "wave")).reshape(-1)
    x = 0.05 * numpy.arange(len(values))
    basis = numpy.stack([numpy.sin(1.5 * x), numpy.cos(1.5 * x)], axis=1)
    fitted, *_ = numpy.linalg.lstsq(basis, values, rcond=None)
    assert math.isclose(numpy.hypot(*fitted), 1, abs_tol=0.01)
    assert math.isclose((values - basis @ fitted).std(), 0.1, rel_tol=0.05)


def test_points_come_from_25_equal_gaussians() -> None:
    found, components = gaussian_grid.points(50_000, numpy_generator(0, "points"))
    around = found - gaussian_grid.MEANS[components]
    assert numpy.allclose(around.std(axis=0), 0.05, rtol=0.03)
    assert abs(around.mean()) < 0.001
    counts = numpy.bincount(components, minlength=25)
    assert ((counts - 2000) ** 2 / 2000).sum() < 51.2  # chi squared, 24 degrees, 0.1 %


def test_single_points_are_labelled_with_the_component_they_lie_near() -> None:
    content = settings("gaussian_grid", frames_per_episode=1)
    stream = gaussian_grid.stream(content, 0, Path(), 1, 0)
    for episode in stream.episodes:
        point = gathered(episode)["states"][0]
        distances = numpy.linalg.norm(gaussian_grid.MEANS - point, axis=1)
        assert distances.argmin() == episode.labels["component"]
        labels.check(episode.labels, stream.labels, episode.origin)
    several = gaussian_grid.stream(settings("gaussian_grid"), 0, Path(), 1, 0)
    assert several.labels == {} and next(several.episodes).labels == {}


def test_a_dot_lies_where_its_point_is() -> None:
    frame = gaussian_grid.draw(numpy.array([-4.0, 4.0]), 64, 64)
    rows, columns = numpy.nonzero(frame[..., 0])
    assert rows.mean() < 12
    assert columns.mean() < 12


# ------------------------------------------------------------ drawn objects


def drawn(pose: tuple[float, float, float, float], **changes: str) -> NDArray[Any]:
    known: dict[str, Any] = {"shape": "disc", "colour": "white", "background": "plain"}
    look = drawn_objects.Look(**(known | changes), behind=((0, 0, 0), (0, 0, 0)), turn=0.0)
    return drawn_objects.draw(look, numpy.array(pose), 64, 64)[..., 0]


@pytest.mark.parametrize("shape", drawn_objects.SHAPES)
def test_an_object_has_its_area_where_its_pose_says_in_any_angle(shape: str) -> None:
    fine = (numpy.arange(1000) + 0.5) / 500 - 1
    inside = drawn_objects.SHAPES[shape](fine, fine[:, None])
    for angle in (0.0, 0.7, 2.0):
        whole = drawn((30.0, 34.0, 20.0, angle), shape=shape).astype(float) / 245
        # Of the object's square, 4 radius^2, as much is covered as of the square around radius 1.
        assert whole.sum() / 1600 == pytest.approx(inside.mean(), abs=0.01)
        assert not whole[:, :10].any() and not whole[:, 50:].any()
        assert not whole[:14].any() and not whole[54:].any()


def test_an_angle_turns_against_the_clock_and_a_quarter_is_a_rotated_picture() -> None:
    upright, turned = (drawn((32, 32, 20, angle), shape="arrow") for angle in (0.0, math.pi / 2))
    assert upright[:32].sum() != upright[32:].sum()  # it points somewhere
    numpy.testing.assert_allclose(numpy.rot90(upright).astype(int), turned, atol=31)


def test_poses_and_labels_are_those_of_the_picture() -> None:
    content = settings("drawn_objects", train_episodes=200, frames_per_episode=2)
    stream = drawn_objects.stream(content, 0, Path(), 1, 0)
    seen = set()
    for number, episode in enumerate(stream.episodes):
        labels.check(episode.labels, stream.labels, episode.origin)
        seen |= {(name, label) for name, label in episode.labels.items()}
        look = drawn_objects.look(0, number)
        found = gathered(episode)
        for frame, pose in zip(found["frames"], found["states"], strict=True):
            again = drawn_objects.draw(look, pose.astype(float), 32, 32)
            assert abs(again.astype(int) - frame).max() <= 31  # of states in float32, an edge
            assert (pose[:2] >= pose[2] - 1e-3).all() and (pose[:2] + pose[2] <= 32 + 1e-3).all()
    assert len(seen) == sum(map(len, drawn_objects.LABELS.values()))
