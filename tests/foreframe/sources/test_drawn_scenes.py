"""Scenes of stored pictures: they are drawn again as they were, and have poses between."""

import dataclasses
import math
from pathlib import Path

import h5py
import numpy
import pytest

from foreframe.data import writing
from foreframe.data.writing import Layout
from foreframe.errors import ArtefactError
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode, drawn_objects, drawn_scenes
from foreframe.sources.drawn_objects import SHAPES, Look
from foreframe.sources.drawn_scenes import TURNS, Scenes
from tests.stages import picture_study

SIDE, COUNT = picture_study.SIDE, 24
BEHIND = ((20, 20, 20), (90, 40, 60))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenes") / "frames.h5"
    picture_study.pictures(path, train=COUNT - 4, test=4)
    return path


def scenes(path: Path) -> Scenes:
    found = drawn_scenes.of(path)
    assert found is not None
    return found


def drawn(shape: str, angle: float) -> numpy.ndarray:
    look = Look(shape, "white", "plain", BEHIND, 0.3)
    return drawn_objects.draw(look, numpy.array([16.0, 16.0, 11.0, angle]), SIDE, SIDE)


def away(one: numpy.ndarray, other: numpy.ndarray) -> float:
    """Return the mean difference of two pictures in levels."""
    return float(abs(one.astype(float) - other.astype(float)).mean())


def test_a_way_begins_with_the_stored_picture(stored: Path) -> None:
    found = scenes(stored)
    with h5py.File(stored) as file:
        for frame in range(COUNT):
            # Poses are stored with fewer digits than they were drawn with.
            picture = found.between(frame, (frame + 1) % COUNT, 0.0)
            assert away(picture, file["frames"][frame]) < 0.02


def test_a_way_ends_with_its_own_object_in_the_other_s_pose(stored: Path) -> None:
    found = scenes(stored)
    look = drawn_objects.look(0, 2)
    with h5py.File(stored) as file:
        pose = file["states"][7].astype(float)
    assert away(found.between(2, 7, 1.0), drawn_objects.draw(look, pose, SIDE, SIDE)) < 0.02


@pytest.mark.parametrize("shape", SHAPES)
def test_ways_there_and_back_meet_and_no_object_is_turned_further_than_it_must(shape: str) -> None:
    random = numpy_generator(0, "poses", shape)
    for _ in range(20):
        one, other = (numpy.append(random.uniform(8, 20, 3), random.uniform(0, 7)) for _ in "ab")
        there = drawn_scenes.between(shape, one, other, 0.25)
        back = drawn_scenes.between(shape, other, one, 0.75)
        assert there[:3] == pytest.approx(0.75 * one[:3] + 0.25 * other[:3])
        assert there[:3] == pytest.approx(back[:3])
        assert abs(there[3] - one[3]) <= 0.25 * math.pi / TURNS.get(shape, 1)
        assert away(drawn(shape, there[3]), drawn(shape, back[3])) < 0.02
        end = drawn_scenes.between(shape, one, other, 1.0)
        assert away(drawn(shape, end[3]), drawn(shape, other[3])) < 0.02


@pytest.mark.parametrize("shape", SHAPES)
def test_objects_look_the_same_after_the_turns_that_are_named_and_no_others(shape: str) -> None:
    same = {
        parts
        for parts in range(2, 9)
        if away(drawn(shape, 0.1), drawn(shape, 0.1 + 2 * math.pi / parts)) < 0.02
    }
    turns = TURNS.get(shape, 1)
    known = {parts for parts in range(2, 9) if turns % parts == 0}
    assert same == (set(range(2, 9)) if shape in ("disc", "ring") else known)


def test_other_sources_do_not_know_what_they_show(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    with writing.creating(path, Layout(8, 8, 0.1, "images", (), (), {}, 8)) as writer:
        frames = numpy.zeros((2, 8, 8, 3), numpy.uint8)
        block = Block(frames, *2 * [numpy.zeros((2, 0), numpy.float32)])
        list(writer.add(Episode("bird/1.png", 1, iter([block]))))
    assert drawn_scenes.of(path) is None


def test_an_origin_of_another_source_is_refused(stored: Path) -> None:
    found = scenes(stored)
    other = dataclasses.replace(found, origins=["a picture", *found.origins[1:]])
    assert (other.between(1, 0, 0.5) == found.between(1, 0, 0.5)).all()
    with pytest.raises(ArtefactError, match=r"^a picture is no origin of drawn_objects\. Run"):
        other.between(0, 1, 0.5)
