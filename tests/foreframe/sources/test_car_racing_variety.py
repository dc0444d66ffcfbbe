"""Episodes may differ in colours, track and camera: each amount changes its own, 0 nothing."""

import itertools
from typing import Any

import numpy
import pytest
from gymnasium.envs.box2d import car_racing as gymnasium_module
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foreframe.randomness import numpy_generator
from foreframe.sources import Block
from foreframe.sources.car_racing.camera import Simulator
from foreframe.sources.car_racing.driver import Driver
from foreframe.sources.car_racing.variety import Look, Variety, draw
from tests.foreframe.sources.test_car_racing import drive, make, same

NONE = {"colours": 0.0, "track": 0.0, "camera": 0.0}


def driven(**variety: float) -> list[Block]:
    return drive(make(episodes=3, frames_per_episode=12, variety={**NONE, **variety}))


def vary(seed: int, **amounts: float) -> Look:
    return draw(Variety(**{**NONE, **amounts}), numpy_generator(seed))


@given(st.integers(0, 2**31))
def test_an_amount_of_nothing_is_gymnasiums_own_look(seed: int) -> None:
    assert vary(seed) == Look()


def test_gymnasiums_own_look_changes_no_colour() -> None:
    levels = range(0, 256, 15)
    for color in itertools.product(levels, levels, levels):
        assert Look().grass(color) == Look().paved(color) == color
    every = numpy.arange(256, dtype=numpy.uint8)
    assert numpy.array_equal(Look().seen(every), every)


@given(st.integers(0, 2**31), st.floats(0, 1), st.sampled_from(list(NONE)))
def test_half_the_amount_goes_half_as_far(seed: int, amount: float, name: str) -> None:
    def gaps(look: Look) -> numpy.ndarray[Any, Any]:
        values = numpy.array([(*vars(look).values(),)[:-1], (*vars(Look()).values(),)[:-1]], float)
        return numpy.append(values[0] - values[1], look.shift)

    whole, part = gaps(vary(seed, **{name: 1.0})), gaps(vary(seed, **{name: amount}))
    numpy.testing.assert_allclose(part, amount * whole, atol=1e-12)
    own = {"colours": range(5), "track": range(5, 8), "camera": range(8, 12)}[name]
    assert set(numpy.flatnonzero(whole)) <= set(own)


@pytest.mark.parametrize("name", ["colours", "camera"])
def test_colours_and_camera_change_the_frames_and_nothing_in_the_drive(name: str) -> None:
    plain, varied = driven(), driven(**{name: 1.0})
    for one, two in zip(plain, varied, strict=True):
        assert numpy.array_equal(one.actions, two.actions)
        assert numpy.array_equal(one.states, two.states)
        assert (one.frames != two.frames).any(axis=(1, 2, 3)).all()


def test_varied_episodes_are_reproducible_and_differ_from_each_other() -> None:
    varied = driven(colours=1.0, track=1.0, camera=1.0)
    assert same(varied, driven(colours=1.0, track=1.0, camera=1.0))
    # Of the ground alone: the mean of a column at the left edge, where there is no road.
    grounds = {tuple(block.frames[0, :, 0].mean(axis=0).round()) for block in varied}
    assert len(grounds) == 3


def test_light_falls_and_haze_pales() -> None:
    frame = numpy.array([[[0, 100, 255]]], numpy.uint8)
    assert Look(light=0.5).seen(frame).tolist() == [[[0, 50, 128]]]
    assert Look(haze=0.5).seen(frame).tolist() == [[[100, 150, 228]]]
    assert Look(hue=2 * numpy.pi / 3).grass((102, 204, 90)) == (90, 102, 204)
    assert Look(saturation=0.0).grass((102, 204, 90)) == (132, 132, 132)
    assert Look(road=1.3).paved((102, 255, 0)) == (133, 255, 0)


def test_the_road_is_as_wide_as_it_says_and_gymnasiums_constants_stay() -> None:
    before = dict(vars(gymnasium_module))
    for width in (0.8, 1.0, 1.4):
        simulator = Simulator(Look(width=width))
        simulator.reset(seed=5)
        left, right = numpy.array(simulator.road_poly[0][0])[:2]
        assert numpy.linalg.norm(left - right) == pytest.approx(width * 2 * 40 / 6)
    assert vars(gymnasium_module) == before


@settings(deadline=None, max_examples=15, derandomize=True)
@given(seed=st.integers(0, 2**31 - 1))
def test_the_car_stays_on_every_road(seed: int) -> None:
    simulator = Simulator(vary(seed, track=1.0))
    simulator.reset(seed=seed)
    track_N2 = numpy.array(simulator.track)[:, 2:]
    place = seed % len(track_N2)
    simulator.place_car(place)
    driver = Driver(track_N2, place, 20.0, 45.0, numpy_generator(seed))
    for _ in range(600):
        simulator.step(driver.act(simulator.position, simulator.angle, simulator.speed))
        assert simulator.car is not None
        assert all(wheel.tiles for wheel in simulator.car.wheels) or simulator.t < 0.1


@pytest.mark.parametrize("wrong", [{"colours": 1.1}, {"track": -0.1}, {"weather": 0.5}])
def test_amounts_are_shares(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        make(variety={**NONE, **wrong})
