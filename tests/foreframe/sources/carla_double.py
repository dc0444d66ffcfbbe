"""CARLA in miniature: the part of the client's interface that is used, and a server in process.

Vehicles on autopilot drive circles, and the camera draws what depends on the pose alone. As the
real one does, it keeps actors until they are destroyed, forgets all when a town is loaded, goes on
in synchronous mode only when ticked, and knows RuntimeError as its only exception. `Server` can be
told to fail; it knows what a client leaves behind and what would crash the real one (`misuse`).
"""

import contextlib
import functools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from tests.foreframe.sources.carla_double_actors import (
    Actor,
    ActorBlueprint,
    BlueprintLibrary,
    Location,
    Rotation,
    Sensor,
    Transform,
    Vehicle,
    WeatherParameters,
)
from tests.foreframe.sources.carla_double_server import VERSION, Server, WorldSettings, remote

TOWNS = ("Town01", "Town03")
PLACES = 9


class Map:
    def __init__(self, server: Server) -> None:
        self.server = server

    @remote
    def get_spawn_points(self) -> list[Transform]:
        return [Transform(Location(100.0 * number)) for number in range(PLACES)]


class World:
    def __init__(self, server: Server) -> None:
        self.server, self.episode = server, server.episode

    def alive(self) -> None:
        if self.episode != self.server.episode:
            raise RuntimeError("trying to access an expired episode; a new world was loaded")

    @remote
    def get_settings(self) -> WorldSettings:
        return WorldSettings(**vars(self.server.settings))

    @remote
    def apply_settings(self, settings: WorldSettings, seconds: float = 0.0) -> int:
        self.alive()
        if not settings.synchronous_mode and any(
            t.synchronous for t in self.server.traffic.values()
        ):
            self.server.misuse.append("a synchronous traffic manager was left without ticks")
        self.server.settings = settings
        return self.server.frame

    @remote
    def get_map(self) -> Map:
        return Map(self.server)

    @remote
    def get_blueprint_library(self) -> BlueprintLibrary:
        return BlueprintLibrary()

    @remote
    def set_weather(self, weather: WeatherParameters, /) -> None:
        self.server.weather = weather.name

    @remote
    def try_spawn_actor(
        self, blueprint: ActorBlueprint, transform: Transform, attach_to: Actor | None = None
    ) -> Vehicle | None:
        self.alive()
        taken = {int(other.transform.location.x // 100) for other in self.server.actors.values()}
        if int(transform.location.x // 100) in self.server.faults.occupied | taken:
            return None
        return Vehicle(self.server, blueprint, transform)

    @remote
    def spawn_actor(
        self, blueprint: ActorBlueprint, transform: Transform, attach_to: Actor | None = None
    ) -> Sensor:
        self.alive()
        assert isinstance(attach_to, Vehicle)
        sensor = Sensor(self.server, blueprint, transform)
        sensor.parent = attach_to
        return sensor

    @remote
    def tick(self, seconds: float = 0.0) -> int:
        self.alive()
        if not self.server.settings.synchronous_mode:
            raise RuntimeError("a tick for a world that is not synchronous")
        return self.server.advance()


class TrafficManager:
    seed: int | None = None
    synchronous = False

    def __init__(self, server: Server, port: int) -> None:
        self.server, self.port = server, port
        server.traffic[port] = self

    @remote
    def get_port(self) -> int:
        return self.port

    @remote
    def set_synchronous_mode(self, mode_switch: bool) -> None:
        self.synchronous = mode_switch

    @remote
    def set_random_device_seed(self, value: int) -> None:
        self.seed = value

    @remote
    def shut_down(self) -> None:
        del self.server.traffic[self.port]


@dataclass(frozen=True)
class DestroyActor:
    actor_id: int


class Client:
    def __init__(
        self, server: Server, host: str = "127.0.0.1", port: int = 2000, worker_threads: int = 0
    ) -> None:
        # The real one does not say a word before the first request either.
        self.server = server
        server.log.append(f"Client({host!r}, {port})")

    def set_timeout(self, seconds: float) -> None:
        self.server.log.append(f"Client.set_timeout({seconds})")

    def get_client_version(self) -> str:
        return VERSION

    @remote
    def get_server_version(self) -> str:
        return self.server.faults.version

    @remote
    def get_available_maps(self) -> list[str]:
        return [f"/Game/Carla/Maps/{town}" for town in TOWNS]

    @remote
    def get_world(self) -> World:
        return World(self.server)

    @remote
    def load_world(self, map_name: str, reset_settings: bool = True) -> World:
        self.server.load(map_name)
        if reset_settings:
            self.server.settings = WorldSettings()
        return World(self.server)

    @remote
    def get_trafficmanager(self, port: int = 8000) -> TrafficManager:
        return TrafficManager(self.server, port)

    @remote
    def apply_batch_sync(self, commands: list[DestroyActor], do_tick: bool = False) -> list[Any]:
        for command in commands:
            with contextlib.suppress(KeyError):
                self.server.actors.pop(command.actor_id).destroyed()
        return []


class Library:
    """What `import carla` gives, for one server."""

    command = SimpleNamespace(DestroyActor=DestroyActor)
    Location, Rotation, Transform = Location, Rotation, Transform
    WeatherParameters = WeatherParameters

    def __init__(self, server: Server) -> None:
        self.Client = functools.partial(Client, server)
