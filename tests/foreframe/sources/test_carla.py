"""Drives in CARLA against the client in miniature: frames, moments, and nothing left behind."""

import json
import math
from typing import Any

import numpy
import pytest
from pydantic import ValidationError

from foreframe.errors import UserError
from foreframe.sources.carla import world as carla_world
from foreframe.sources.carla.world import ACTIONS, STATES, LostError
from tests.foreframe.sources.carla_double import Library
from tests.foreframe.sources.carla_double_server import Server, WorldSettings
from tests.foreframe.sources.carla_setting import VALUES, journey, make, record, same
from tests.foreframe.sources.carla_trace import TRACE, requests

# Ticks of a drive: warm-up, the first frame, and four for each of three frames.
TICKS = 2 + 1 + 3 * 4


def left(server: Server) -> tuple[int, int, WorldSettings, list[str]]:
    """Return what a drive has left behind: actors, traffic, settings, and misuse."""
    return len(server.actors), len(server.traffic), server.settings, server.misuse


NOTHING: tuple[int, int, WorldSettings, list[str]] = (0, 0, WorldSettings(), [])


def test_a_drive_has_its_frames_and_leaves_nothing_behind() -> None:
    server = Server()
    rows = list(record(server))
    assert [frame.shape for frame, _, _ in rows] == [(12, 16, 3)] * 3
    assert [(len(action), len(state)) for _, action, state in rows] == [(3, 4)] * 3
    assert len(ACTIONS) == 3 and len(STATES) == 4
    assert left(server) == NOTHING
    assert server.ticks == TICKS and server.spawned == 4 and server.town == "Town03"


def test_two_drives_are_equal_and_another_seed_drives_differently() -> None:
    used = Server()
    first = list(record(used))
    assert same(first, list(record(used)))
    assert same(first, list(record(Server())))
    assert not same(first, list(record(Server(), seed=6)))


def test_the_requests_are_those_of_the_recorded_trace() -> None:
    """After a change on purpose: python -m tests.foreframe.sources.carla_trace."""
    assert requests() == json.loads(TRACE.read_text(encoding="utf-8"))


def test_frames_states_and_controls_are_those_of_their_moment() -> None:
    """Speed grows by 0.1 a step, so each speed names its tick; the image names its pose."""
    chosen = make(frames_per_episode=5, warm_up=0.5)
    rows = list(record(Server(), chosen))
    for number, (frame, action, (speed, x, y, heading)) in enumerate(rows):
        tick = 10 + 1 + 4 * number
        assert speed == pytest.approx(0.1 * tick)
        values = [int(math.degrees(heading) * 5) % 200, int(y * 50) % 200, int(x * 50) % 200]
        assert numpy.median(frame, axis=(0, 1)).tolist() == values  # red, green, blue
        steps = range(tick + 1, tick + 5)
        throttle = numpy.mean([0.75 if 0.1 * step < 8 else 0.25 for step in steps])
        assert action[1] == pytest.approx(throttle) and action[2] == 0
    assert len({frame.tobytes() for frame, _, _ in rows}) == 5


@pytest.mark.parametrize("faults", [{"late": 0.02}, {"stale": True}, {"late": 0.02, "stale": True}])
def test_images_that_come_late_or_twice_change_nothing(faults: dict[str, Any]) -> None:
    server = Server(**faults)
    assert same(list(record(server)), list(record(Server())))
    assert left(server) == NOTHING


@pytest.mark.parametrize("step", [0.1, 0.05, 0.04, 0.025])
def test_the_interval_is_exact_for_any_step_that_divides_it(step: float) -> None:
    server = Server()
    rows = list(record(server, make(step=step, warm_up=0.2)))
    per_frame = round(0.2 / step)
    assert server.ticks == per_frame + 1 + 3 * per_frame
    speeds = [state[0] for _, _, state in rows]
    assert numpy.diff(speeds) == pytest.approx(0.1 * per_frame)


FAILURES: dict[str, tuple[dict[str, Any], type[BaseException]]] = {
    "hangs while it warms up": ({"hang_after": 1}, LostError),
    "hangs": ({"hang_after": 6}, LostError),
    "leaves out an image": ({"skipped_after": 6}, LostError),
    "leaves out the last image": ({"skipped_after": TICKS - 1}, LostError),
    "is ticked by another": ({"rival_after": 6}, LostError),
    "is ticked by another and leaves out": ({"rival_after": 6, "skipped_after": 6}, LostError),
    "is ticked by another in the end": (
        {"rival_after": TICKS - 1, "skipped_after": TICKS - 1},
        LostError,
    ),
    "is gone": ({"drop_after": 6}, LostError),
    "is interrupted": ({"interrupt_after": 6}, KeyboardInterrupt),
    "is ended": ({"interrupt_after": 6, "interruption": SystemExit}, SystemExit),
    "has no room": ({"occupied": frozenset(range(2, 9))}, UserError),
    "has no room at all": ({"occupied": frozenset(range(9))}, UserError),
}


@pytest.mark.parametrize("name", FAILURES)
def test_nothing_is_left_behind_however_it_ends(name: str) -> None:
    faults, error = FAILURES[name]
    server = Server(**faults)
    server.settings = WorldSettings(fixed_delta_seconds=0.02)
    with pytest.raises(error):
        list(record(server))
    found = WorldSettings() if "drop_after" in faults else WorldSettings(fixed_delta_seconds=0.02)
    actors, traffic, settings, misuse = left(server)
    assert (actors, settings, misuse) == (0, found, [])
    # A server that is gone can be told nothing.
    assert traffic == (1 if "drop_after" in faults else 0)


def test_a_drive_that_is_given_up_leaves_nothing_behind() -> None:
    server = Server()
    rows = carla_world.record(Library(server), make(), journey())
    next(rows)
    assert len(server.actors) == 4 and server.settings == WorldSettings(True, 0.05, True)
    rows.close()
    assert left(server) == NOTHING


def test_a_server_left_synchronous_by_a_killed_program_is_freed() -> None:
    server = Server()
    server.settings = WorldSettings(True, 0.05)
    list(record(server))
    assert left(server) == NOTHING


def test_vehicles_that_find_their_place_taken_take_the_next() -> None:
    server = Server(occupied=frozenset({0, 1, 2, 3, 5, 6}))
    assert len(list(record(server))) == 3
    assert server.spawned == 4
    tried = [line for line in server.log if line.startswith("World.try_spawn_actor")]
    assert 3 < len(tried) <= 9 and len(set(tried)) == len(tried)


def test_only_cars_join_the_traffic_and_the_weather_changes_nothing_else() -> None:
    clear, wild = Server(), Server()
    list(record(clear, make(weather="ClearNoon", other_vehicles=8)))
    list(record(wild, make(weather="random", other_vehicles=8)))
    assert not any("vespa" in line for line in clear.log)
    assert (clear.weather, wild.weather) != ("ClearNoon", "Default")
    without = [[line for line in one.log if "set_weather" not in line] for one in (clear, wild)]
    assert without[0] == without[1]
    drawn = set()
    for seed in range(20):
        server = Server()
        next(iter(record(server, make(frames_per_episode=1), seed)))
        drawn.add(server.weather)
    assert drawn == {"ClearNoon", "HardRainSunset", "WetNight"}


@pytest.mark.parametrize(
    ("faults", "changes", "words"),
    [
        ({"version": "0.9.13"}, {}, "version 0.9.13.*has 0.9.16.*carla==0.9.13"),
        ({}, {"town": "Town99"}, "no town Town99.*It has: Town01, Town03"),
        ({}, {"weather": "Sunny"}, "no weather Sunny.*It has: random, ClearNoon"),
        ({}, {"vehicle": "vehicle.no.such"}, "no vehicle vehicle.no.such"),
        ({}, {"other_vehicles": 9}, "room for 9 vehicles only, of 10"),
    ],
)
def test_what_the_server_has_not_is_refused_with_a_cure(
    faults: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    server = Server(**faults)
    with pytest.raises(UserError, match=words):
        list(record(server, make(**changes)))
    assert left(server) == NOTHING


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": 0.03}, "no multiple of step"),
        ({"frame_interval": 0.02}, "no multiple of step"),
        ({"step": 0.2}, "less than or equal to 0.1"),
        ({"traffic_port": 2001}, "the server's own ports"),
        ({"town": "../Town03"}, "town"),
        ({"vehicle": "walker.pedestrian.0001"}, "vehicle"),
        ({"camera": {**VALUES["camera"], "field_of_view": 180.0}}, "field_of_view"),
        ({"host": "two words"}, "host"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anybody_is_asked(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        make(**changes)
