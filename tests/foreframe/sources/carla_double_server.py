"""The server of CARLA in miniature: its actors and clock, what it is asked, and how it fails."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VERSION = "0.9.16"


@dataclass
class WorldSettings:
    synchronous_mode: bool = False
    fixed_delta_seconds: float | None = None
    deterministic_ragdolls: bool = False

    def __repr__(self) -> str:
        return f"{'' if self.synchronous_mode else 'a'}synchronous {self.fixed_delta_seconds}"


@dataclass
class Faults:
    """What goes wrong: counts are of ticks since the server started, None is never."""

    version: str = VERSION
    deaf: bool = False
    drop_after: int | None = None  # the server is gone, and all in it
    hang_after: int | None = None  # one tick is answered by a time-out; the server lives on
    interrupt_after: int | None = None
    interruption: type[BaseException] = KeyboardInterrupt
    occupied: frozenset[int] = frozenset()  # places where nothing can be spawned
    late: float = 0.0  # seconds by which images come after the tick is answered
    stale: bool = False  # every image is preceded by the one before it
    rival_after: int | None = None  # another client ticks as well
    skipped_after: int | None = None  # an image is left out


class Server:
    """The simulated server with its log of requests."""

    def __init__(self, **faults: Any) -> None:
        self.faults = Faults(**faults)
        self.log: list[str] = []
        self.misuse: list[str] = []
        self.settings = WorldSettings()
        self.town, self.weather, self.episode, self.ticks, self.frame = "Town01", "", 0, 0, 100
        self.actors: dict[int, Any] = {}
        self.spawned = 0
        self.traffic: dict[int, Any] = {}

    def request(self, name: str, arguments: list[str]) -> None:
        self.log.append(f"{name}({', '.join(arguments)})")
        if self.faults.deaf:
            raise RuntimeError("time-out of 1000ms while waiting for the simulator")

    def load(self, town: str) -> None:
        self.town, self.actors, self.episode = town, {}, self.episode + 1

    def advance(self) -> int:
        faults = self.faults
        if self.ticks == faults.interrupt_after:
            faults.interrupt_after = None
            raise faults.interruption
        if self.ticks == faults.hang_after:
            faults.hang_after = None
            raise RuntimeError("time-out of 1000ms while waiting for the simulator")
        if self.ticks == faults.drop_after:
            faults.deaf, self.actors, self.settings = True, {}, WorldSettings()
            raise RuntimeError("rpc::rpc_error during call in function tick_cue")
        frame = self.step()
        if self.ticks - 1 == faults.rival_after:
            self.step()
        return frame

    def step(self) -> int:
        self.ticks, self.frame = self.ticks + 1, self.frame + 1
        for actor in list(self.actors.values()):
            actor.advance()
        return self.frame


def told(value: Any) -> str:
    if callable(value):
        return "callback"
    if isinstance(value, list):
        return f"[{', '.join(map(told, value))}]"
    return repr(value)


def remote(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let the server log each call and perhaps not answer it."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        named = [f"{key}={told(value)}" for key, value in kwargs.items()]
        who = f"{type(self).__name__}{f' #{self.id}' if hasattr(self, 'id') else ''}"
        self.server.request(f"{who}.{method.__name__}", [*map(told, args), *named])
        return method(self, *args, **kwargs)

    return call
