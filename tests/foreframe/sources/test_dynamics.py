"""Dynamics: each class moves as its name says, and neither place nor speed tells one from another.

Distances between distributions are those of Kolmogorov and Smirnov, over seeds that are fixed.
"""

import functools
import math
from itertools import pairwise
from pathlib import Path

import numpy
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from foreframe.config.split import SETS, Split
from foreframe.data import splits
from foreframe.randomness import numpy_generator
from foreframe.sources import dynamics
from tests.foreframe.sources.synthetic_episodes import recorded, settings

Values = NDArray[numpy.float64]
MOVING = range(9)
MANY = 1500  # motions of each class
FINE = 400  # frames, of which no step leaves out a bend


def path_of(label: int, frames: int, *position: str | int) -> dynamics.Motion:
    return dynamics.motion(label, frames, numpy_generator(0, *position))


def lengths(moved: dynamics.Motion) -> Values:
    steps: Values = numpy.linalg.norm(numpy.diff(moved.places, axis=0), axis=1)
    return steps


def named(*words: str) -> list[int]:
    return [
        label
        for label, name in enumerate(dynamics.CLASSES)
        if any(word in name.split() for word in words)
    ]


# ------------------------------------------------------------------ motions


@pytest.mark.parametrize("label", named("linear"))
def test_a_linear_path_is_a_line_and_no_other_is(label: int) -> None:
    for other in (label, label + 3, label + 6):
        for number in range(20):
            places = path_of(other, 21, "line", other, number).places
            spread = numpy.linalg.svd(places - places.mean(axis=0), compute_uv=False)
            assert (spread[1] < 1e-9) == (other == label)


@pytest.mark.parametrize("label", named("constant", "bouncing"))
def test_a_constant_speed_is_constant_along_the_path_and_so_is_that_of_what_bounces(
    label: int,
) -> None:
    for number in range(10):
        steps = lengths(path_of(label, 2001, "speed", label, number))
        # Cusps, and turns between two frames, are few.
        assert abs(numpy.quantile(steps, (0.02, 0.9)) / numpy.median(steps) - 1).max() < 0.02


@pytest.mark.parametrize("label", named("accelerating"))
def test_what_accelerates_is_three_to_six_times_as_fast_in_the_end_and_gains_evenly(
    label: int,
) -> None:
    for number in range(10):
        steps = lengths(path_of(label, 2001, "speed", label, number))
        speeds = numpy.median(steps.reshape(20, 100), axis=1)
        gains = numpy.diff(speeds) / (speeds[-1] - speeds[0]) * 19
        assert abs(gains - 1).max() < 0.1
        # Of a twentieth of the time, from its middle.
        assert 2.6 < speeds[-1] / speeds[0] < 6.1


def test_what_bounces_turns_round_once_twice_or_three_times() -> None:
    counts = []
    for number in range(60):
        (label,) = set(named("linear")) & set(named("bouncing"))
        steps = numpy.diff(path_of(label, FINE, "bounce", number).places, axis=0)
        counts.append(int(((steps[1:] * steps[:-1]).sum(axis=1) < 0).sum()))
    assert set(counts) == {1, 2, 3}


def test_a_sine_goes_up_and_down_once_to_three_times() -> None:
    (label,) = set(named("sinusoidal")) & set(named("constant"))
    for number in range(40):
        places = path_of(label, FINE, "sine", number).places
        straight = places - places.mean(axis=0)
        ahead, across = numpy.linalg.svd(straight, full_matrices=False)[2] @ straight.T
        assert numpy.ptp(ahead) > 1.3 * numpy.ptp(across)
        bends = (numpy.diff(numpy.sign(numpy.diff(across))) != 0).sum()
        assert 1 <= bends <= 8


def test_a_hypocycloid_has_cusps_with_arcs_of_a_known_length_between_them() -> None:
    (label,) = set(named("hypocycloidal")) & set(named("constant"))
    # Of R/r cusps two neighbours lie 2 sin(pi r/R) R apart, on an arc of 8 (1 - r/R) r.
    wanted = {
        cusps: 2 * math.sin(math.pi / cusps) / (8 * (cusps - 1) / cusps**2) for cusps in (3, 4, 5)
    }
    seen = set()
    for number in range(60):
        moved = path_of(label, 2001, "cusps", number)
        steps = numpy.diff(moved.places, axis=0)
        sharp = numpy.flatnonzero((steps[1:] * steps[:-1]).sum(axis=1) < 0) + 1
        sharp = sharp[numpy.diff(sharp, prepend=-2) > 1]
        assert 1 <= len(sharp) <= 3
        for one, other in pairwise(sharp.tolist()):
            chord = numpy.linalg.norm(moved.places[other] - moved.places[one])
            ratio = chord / lengths(moved)[one:other].sum()
            seen.add(min(wanted, key=lambda cusps: abs(wanted[cusps] - ratio)))
            assert min(abs(each - ratio) for each in wanted.values()) < 0.006
    assert seen == {3, 4, 5}


def test_a_rotation_stays_and_turns_evenly_by_half_a_turn_to_two() -> None:
    signs = set()
    for number in range(40):
        moved = path_of(9, 21, "turn", number)
        assert not numpy.diff(moved.places, axis=0).any()
        turns = numpy.diff(moved.angles)
        assert numpy.allclose(turns, turns[0])
        assert math.pi <= abs(moved.angles[-1] - moved.angles[0]) <= 4 * math.pi
        signs.add(numpy.sign(turns[0]))
    assert signs == {-1, 1}
    assert all(numpy.ptp(path_of(label, 21, "turn").angles) == 0 for label in MOVING)


def test_no_two_consecutive_frames_are_identical() -> None:
    for *_, found in recorded("dynamics", height=64, width=64):
        same = [
            numpy.array_equal(*pair)
            for pair in zip(found["frames"], found["frames"][1:], strict=False)
        ]
        assert not any(same)


# ----------------------------------------------------------------- leakage


@functools.cache
def motions() -> list[list[dynamics.Motion]]:
    """Return many motions of each class, over 20 frames."""
    return [
        [path_of(label, 20, "leak", label, number) for number in range(MANY)] for label in range(10)
    ]


def distance(one: Values, other: Values) -> float:
    """Return the largest difference of two empirical distribution functions."""
    places = numpy.concatenate([one, other])
    below = [
        numpy.searchsorted(numpy.sort(each), places, side="right") / len(each)
        for each in (one, other)
    ]
    return float(abs(below[0] - below[1]).max())


def apart(values: list[Values]) -> float:
    """Return the largest distance of a class from all the others together."""
    return max(
        distance(own, numpy.concatenate([*values[:label], *values[label + 1 :]]))
        for label, own in enumerate(values)
    )


def at_random(label: int) -> Values:
    """Return the places (MANY,2) of a class, each at a random frame."""
    times = numpy_generator(0, "times", label).integers(0, 20, MANY)
    return numpy.stack(
        [moved.places[time] for moved, time in zip(motions()[label], times, strict=True)]
    )


def test_a_random_frame_shows_the_object_at_the_same_places_in_every_class() -> None:
    places = [at_random(label) - 0.5 for label in range(10)]
    # With one distribution for all, 1 in 1,000 distances of so many is above 0.053.
    for axis in (0, 1):
        assert apart([each[:, axis] for each in places]) < 0.053
    assert apart([numpy.hypot(*each.T) for each in places]) < 0.053
    assert all(abs(each).max() < 0.5 for each in places)


def test_a_single_frame_does_not_give_the_class_away() -> None:
    """Neighbours by place, which is all that could differ between classes, guess like chance."""
    places = numpy.stack([at_random(label) for label in range(10)], axis=1)
    train, test = places[:-200].reshape(-1, 2), places[-200:].reshape(-1, 2)
    far = numpy.linalg.norm(test[:, None] - train[None], axis=2)
    nearest = numpy.argpartition(far, 100, axis=1)[:, :100] % 10
    votes = numpy.stack([(nearest == label).sum(axis=1) for label in range(10)], axis=1)
    right = (votes.argmax(axis=1) == numpy.arange(2000) % 10).mean()
    # Chance is 10 %, with a deviation of 0.67 points.
    assert right < 0.12


def test_all_that_go_somewhere_go_equally_far_along_their_paths() -> None:
    ways = [
        numpy.array(
            [lengths(path_of(label, FINE, "way", label, number)).sum() for number in range(300)]
        )
        for label in MOVING
    ]
    low, high = dynamics.WAY
    assert all(0.98 * low < each.min() and each.max() <= high for each in ways)
    # As above, 1 in 1,000 of 300 against 2,400 is above 0.119.
    assert apart(ways) < 0.119


@pytest.mark.parametrize("label", MOVING)
def test_objects_go_in_any_direction(label: int) -> None:
    times = numpy_generator(0, "headings", label).integers(0, 19, MANY)
    steps = [
        moved.places[time + 1] - moved.places[time]
        for moved, time in zip(motions()[label], times, strict=True)
    ]
    headings = numpy.arctan2(*numpy.array(steps).T)
    even = numpy.linspace(-math.pi, math.pi, 100_000)
    assert distance(headings, even) < 0.05


def described(number: int) -> Values:
    """Return how a motion goes, of places that are read to a quarter of a pixel of 64."""
    moved = path_of(number % 10, 20, "oracle", number)
    places = moved.places + numpy_generator(0, "read", number).normal(0, 0.25 / 64, (20, 2))
    steps = numpy.diff(places, axis=0)
    paces = numpy.linalg.norm(steps, axis=1)
    headings = numpy.arctan2(*steps.T)
    turns = abs((numpy.diff(headings) + math.pi) % (2 * math.pi) - math.pi)
    centred = places - places.mean(axis=0)
    _, spread, axes = numpy.linalg.svd(centred, full_matrices=False)
    along = (centred @ axes.T).ravel() / spread[0]
    whole = [spread[0], spread[1] / spread[0], *numpy.sort(turns)[-4:]]
    return numpy.concatenate([paces / paces.mean(), turns, along, whole])


def test_the_motion_alone_tells_the_class() -> None:
    # As a person sees it who errs on at most one clip in ten.
    rows, labels = (
        numpy.stack([described(number) for number in range(4000)]),
        numpy.arange(4000) % 10,
    )
    trees = ExtraTreesClassifier(60, max_features=0.3, random_state=0)
    found = trees.fit(rows[:3500], labels[:3500]).predict(rows[3500:])
    assert (found != labels[3500:]).mean() < 0.06


# ------------------------------------------------------------------- labels


def test_classes_are_balanced_or_refused() -> None:
    stream = dynamics.stream(settings("dynamics"), 0, Path(), 1, 0)
    found = [episode.labels for episode in stream.episodes]
    assert sorted(each["class"] for each in found) == sorted([*range(10)] * 2)
    for each in found:
        path, speed = (stream.labels[name][each[name]] for name in ("path", "speed"))
        known = "rotation" if path == "none" else f"{path} {speed}"
        assert stream.labels["class"][each["class"]] == known
    with pytest.raises(ValueError, match="multiple of 10"):
        settings("dynamics", train_episodes=15)


def test_states_are_the_places_and_angles_that_were_drawn() -> None:
    for number, (*_, found) in enumerate(recorded("dynamics")):
        random = numpy_generator(0, "dynamics", number, "motion")
        moved = dynamics.motion(number % 10, 12, random)
        wanted = numpy.column_stack([moved.places, moved.angles])
        assert numpy.array_equal(found["states"], wanted.astype(numpy.float32))


def test_the_thesis_s_sets_are_5000_500_and_500_of_each_class() -> None:
    chosen = settings("dynamics", train_episodes=55_000, test_episodes=5_000, frames_per_episode=20)
    parts = ["train"] * chosen.train_episodes + ["test"] * chosen.test_episodes
    runs = [(20 * number, 20 * number + 20) for number in range(len(parts))]
    shares = Split(by="official", train=0.833334, validation=0.083333, test=0.083333)
    found = splits.cut(runs, parts, shares)
    for name, wanted in zip(SETS, (5000, 500, 500), strict=True):
        classes = numpy.array([start // 20 % 10 for start, _ in found.runs(name)])
        assert (numpy.bincount(classes) == wanted).all()


def test_nothing_but_the_object_changes() -> None:
    for *_, found in recorded("dynamics", height=64, width=64):
        frames, states = found["frames"].astype(int), found["states"]
        rows, columns = (numpy.mgrid[:64, :64] + 0.5) / 64
        for before, after, *places in zip(frames, frames[1:], states, states[1:], strict=False):
            moved = (before != after).any(axis=2)
            near = [
                numpy.hypot(columns - x, rows - y) < dynamics.dynamics_drawing.LARGEST / 2 + 0.03
                for x, y, _ in places
            ]
            assert not (moved & ~(near[0] | near[1])).any()


@pytest.mark.parametrize("corners", [0, 3])
def test_a_frame_is_a_part_of_a_larger_one(corners: int) -> None:
    """Whatever the object crosses; where it is whole its area is that of its outline."""
    drawing, random = dynamics.dynamics_drawing, numpy_generator(0, "larger", corners)
    white, radius = numpy.full((2, 3), 255.0), 0.11
    grounds = (numpy.zeros((size, size, 3)) for size in (32, 64))
    small, large = (
        drawing.Scene(ground, white, corners, radius / share)
        for ground, share in zip(grounds, (1, 2), strict=True)
    )
    area = math.pi if corners == 0 else 3 * math.sqrt(3) / 4
    for place in random.uniform(-0.3, 1.3, (200, 2)):
        part = drawing.draw(small, place, 0.3)
        whole = drawing.draw(large, 0.25 + place / 2, 0.3)
        assert numpy.array_equal(part, whole[16:48, 16:48])
        assert whole[..., 0].sum() / 255 == pytest.approx(area * (radius * 32) ** 2, rel=0.08)
