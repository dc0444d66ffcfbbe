"""The simulated drives: reproducible, on the road, and drawn as Gymnasium would draw them."""

from pathlib import Path
from typing import Any

import numpy
import pygame
import pytest
from gymnasium.envs.box2d.car_racing import CarRacing
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foreframe.randomness import numpy_generator
from foreframe.sources import BLOCK, Block, car_racing
from foreframe.sources.car_racing.camera import Camera, Simulator
from foreframe.sources.car_racing.driver import Driver
from foreframe.sources.car_racing.variety import Look


def make(**changes: Any) -> car_racing.Settings:
    values = {
        "kind": "car_racing",
        "height": 16,
        "width": 16,
        "frame_interval": 0.1,
        "episodes": 3,
        "frames_per_episode": 40,
        "speed_low": 15.0,
        "speed_high": 40.0,
        "variety": {"colours": 0.0, "track": 0.0, "camera": 0.0},
    }
    return car_racing.Settings(**{**values, **changes})


def drive(
    chosen: car_racing.Settings, seed: int = 0, workers: int = 1, first: int = 0
) -> list[Block]:
    """Return one block for each episode."""
    result = []
    for episode in car_racing.stream(chosen, seed, Path("unused"), workers, first).episodes:
        blocks = list(episode.blocks)
        assert all(len(block.frames) <= BLOCK for block in blocks)
        columns = zip(
            *((block.frames, block.actions, block.states) for block in blocks), strict=True
        )
        result.append(Block(*map(numpy.concatenate, columns)))
    return result


def same(one: list[Block], two: list[Block]) -> bool:
    return len(one) == len(two) and all(
        numpy.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(one, two, strict=True)
        for name in ("frames", "actions", "states")
    )


def test_the_bytes_do_not_depend_on_the_number_of_workers() -> None:
    alone = drive(make())
    assert same(alone, drive(make(), workers=0))
    assert same(alone, drive(make(), workers=2))


def test_an_episode_depends_on_the_seed_and_its_own_number_alone() -> None:
    alone = drive(make())
    assert same(alone[:2], drive(make(episodes=2)))
    assert not same(alone, drive(make(), seed=1))
    assert not numpy.array_equal(alone[0].frames, alone[1].frames)


@pytest.mark.parametrize("workers", [1, 2])
def test_episodes_that_are_left_out_change_nothing_in_the_others(workers: int) -> None:
    alone = drive(make())
    for first in (1, 3):
        assert same(alone[first:], drive(make(), workers=workers, first=first))


def test_every_episode_has_its_frames_and_actions() -> None:
    blocks = drive(make(height=24, width=40, frames_per_episode=33))
    assert [block.frames.shape for block in blocks] == [(33, 24, 40, 3)] * 3
    for block in blocks:
        assert block.frames.dtype == numpy.uint8
        assert block.actions.dtype == numpy.float32
        steer, gas, brake = block.actions.T
        assert numpy.abs(steer).max() <= 1
        assert 0 <= min(gas.min(), brake.min()) <= max(gas.max(), brake.max()) <= 1
        # It drives: no two frames are the same.
        assert (numpy.diff(block.frames.astype(int), axis=0) != 0).any(axis=(1, 2, 3)).all()


def test_the_actions_are_those_that_were_taken() -> None:
    coarse, fine = drive(make(episodes=1)), drive(make(episodes=1, frame_interval=0.02))
    # The first second is skipped by both, so five fine steps make one coarse one.
    means = fine[0].actions[:40].reshape(8, 5, 3).mean(axis=1)
    numpy.testing.assert_allclose(coarse[0].actions[:8], means, atol=1e-6)
    assert numpy.array_equal(coarse[0].frames[:8], fine[0].frames[:40:5])


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    seed=st.integers(0, 2**31 - 1),
    speeds=st.tuples(st.floats(5, 50), st.floats(5, 50)).map(sorted),
)
def test_the_car_stays_on_the_road_at_every_speed(seed: int, speeds: list[float]) -> None:
    simulator = Simulator(Look())
    simulator.reset(seed=seed)
    track_N2 = numpy.array(simulator.track)[:, 2:]
    place = seed % len(track_N2)
    simulator.place_car(place)
    driver = Driver(track_N2, place, speeds[0], speeds[1], numpy_generator(seed))
    before = simulator.position
    for _ in range(600):
        simulator.step(driver.act(simulator.position, simulator.angle, simulator.speed))
        assert simulator.speed < speeds[1] + 3
        # A wheel on the grass touches no tile of the road.
        assert simulator.car is not None
        assert all(wheel.tiles for wheel in simulator.car.wheels) or simulator.t < 0.1
    assert numpy.linalg.norm(simulator.position - before) > 10


def test_the_camera_shows_what_gymnasium_shows() -> None:
    ours, theirs = Simulator(Look()), CarRacing()
    for world in (ours, theirs):
        world.reset(seed=3)
        for _ in range(90):
            world.step(numpy.array([0.0, 0.2, 0.0]))
    theirs._render("state_pixels")
    surface: Any = theirs.surf
    whole_HW3 = pygame.surfarray.array3d(surface).swapaxes(0, 1)
    # Above the dashboard, around the middle; edges are smoothed there and not here.
    expected_HW3 = whole_HW3[:700, 150:850].astype(int)
    difference = numpy.abs(Camera(ours, 700, 700).shoot() - expected_HW3).max(axis=-1)
    assert (difference > 8).mean() < 0.01


def test_the_car_stands_in_the_lower_middle_in_every_shape_of_frame() -> None:
    for height, width in ((256, 256), (192, 384), (360, 240)):
        frame = drive(make(episodes=1, frames_per_episode=1, height=height, width=width))[0]
        red, green, blue = numpy.moveaxis(frame.frames[0].astype(int), -1, 0)
        rows, columns = numpy.nonzero((abs(red - 203) < 3) & (green < 2) & (blue < 2))
        scale = min(1000 / width, 700 / height)
        assert abs(columns.mean() - width / 2) < 3
        assert abs(rows.mean() - (height - 100 / scale)) < 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_interval": 0.03}, r"frame_interval is 0\.03 s.*multiple"),
        ({"frame_interval": 0.005}, r"frame_interval is 0\.005 s.*multiple"),
        ({"speed_low": 30.0, "speed_high": 20.0}, "speed_low.*above speed_high"),
        ({"episodes": 0}, "episodes"),
        ({"speed_high": 90.0}, "speed_high"),
        ({"speed": 3.0}, "speed"),
    ],
)
def test_contradictory_settings_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make(**changes)
