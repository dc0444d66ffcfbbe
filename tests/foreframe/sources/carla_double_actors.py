"""Vehicles and a camera in miniature, with the values that CARLA describes them by."""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy

from tests.foreframe.sources.carla_double_server import Server, remote

CATALOGUE = {  # vehicles and their wheels
    "vehicle.vespa.zx125": 2,
    "vehicle.tesla.model3": 4,
    "vehicle.audi.tt": 4,
    "vehicle.mini.cooper_s": 4,
}


@dataclass
class Location:
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0


@dataclass
class Rotation:
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0


@dataclass
class Transform:
    location: Location = field(default_factory=Location)
    rotation: Rotation = field(default_factory=Rotation)

    def __repr__(self) -> str:
        place, turn = self.location, self.rotation
        return f"({place.x:g}, {place.y:g}, {place.z:g}; {turn.pitch:g}, {turn.yaw:g})"


class WeatherParameters:
    """Presets are instances that are attributes of their own class."""

    ClearNoon: "WeatherParameters"
    Default: "WeatherParameters"
    HardRainSunset: "WeatherParameters"
    WetNight: "WeatherParameters"

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


for preset in ("ClearNoon", "Default", "HardRainSunset", "WetNight"):
    setattr(WeatherParameters, preset, WeatherParameters(preset))


class ActorAttribute:
    def __init__(self, value: str) -> None:
        self.value = value

    def as_int(self) -> int:
        return int(self.value)


class ActorBlueprint:
    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.id, self.attributes = name, dict(attributes)

    def set_attribute(self, name: str, value: str) -> None:
        if not isinstance(value, str) or name not in self.attributes:
            raise TypeError(f"{self.id}: {name} = {value!r}")
        self.attributes[name] = value

    def get_attribute(self, name: str) -> ActorAttribute:
        return ActorAttribute(self.attributes[name])

    def __repr__(self) -> str:
        return f"{self.id} {self.attributes}"


class BlueprintLibrary:
    def __init__(self) -> None:
        camera = {"image_size_x": "800", "image_size_y": "600", "fov": "90.0", "sensor_tick": "0.0"}
        self.blueprints = {"sensor.camera.rgb": camera} | {
            name: {"number_of_wheels": str(wheels), "role_name": "autopilot"}
            for name, wheels in CATALOGUE.items()
        }

    def find(self, id: str) -> ActorBlueprint:  # noqa: A002
        if id not in self.blueprints:
            raise IndexError(f"blueprint '{id}' not found")
        return ActorBlueprint(id, self.blueprints[id])

    def filter(self, wildcard_pattern: str) -> Iterator[ActorBlueprint]:
        begin = wildcard_pattern.removesuffix("*")
        return (self.find(name) for name in self.blueprints if name.startswith(begin))


class Actor:
    def __init__(self, server: Server, blueprint: ActorBlueprint, transform: Transform) -> None:
        server.spawned += 1
        self.server, self.blueprint, self.transform = server, blueprint, transform
        self.id, self.episode = server.spawned, server.episode
        server.actors[self.id] = self

    def __repr__(self) -> str:
        return f"{self.blueprint.id} #{self.id}"

    @remote
    def get_transform(self) -> Transform:
        return self.transform

    def advance(self) -> None:
        pass

    def destroyed(self) -> None:
        pass


class Vehicle(Actor):
    """Speeds up to 8 m/s on a circle: its radius is of the place and the seed of the traffic."""

    seed: int | None = None
    speed = 0.0
    driven = 0.0

    @remote
    def set_autopilot(self, enabled: bool = True, tm_port: int = 8000) -> None:
        if not enabled or tm_port not in self.server.traffic:
            raise RuntimeError(f"no traffic manager at {tm_port}")
        self.seed, self.begin = self.server.traffic[tm_port].seed, self.transform.location

    def radius(self) -> float:
        assert self.seed is not None
        return 20 + (self.seed * 7 + int(self.begin.x)) % 11

    def advance(self) -> None:
        if self.seed is None:
            return
        self.speed = min(8.0, self.speed + 0.1)
        self.driven += self.speed * (self.server.settings.fixed_delta_seconds or 0.0)
        angle = self.driven / self.radius()
        place = Location(
            self.begin.x + self.radius() * math.sin(angle),
            self.begin.y + self.radius() * (1 - math.cos(angle)),
        )
        self.transform = Transform(place, Rotation(yaw=math.degrees(angle)))

    @remote
    def get_velocity(self) -> Location:
        heading = math.radians(self.transform.rotation.yaw)
        return Location(self.speed * math.cos(heading), self.speed * math.sin(heading))

    @remote
    def get_control(self) -> SimpleNamespace:
        throttle = 0.75 if self.speed < 8 else 0.25
        return SimpleNamespace(steer=1 / self.radius(), throttle=throttle, brake=0.0)


@dataclass(frozen=True)
class Image:
    frame: int
    width: int
    height: int
    raw_data: bytes


class Sensor(Actor):
    """A camera that draws where its parent is: blue is x, green is y, red is the heading."""

    parent: Vehicle
    callback: Callable[[Image], object] | None = None
    before: Image | None = None

    @remote
    def listen(self, callback: Callable[[Image], object]) -> None:
        self.callback = callback

    @remote
    def stop(self) -> None:
        self.callback = None

    def destroyed(self) -> None:
        if self.callback is not None:
            self.server.misuse.append("a listening sensor was destroyed")

    def advance(self) -> None:
        image, faults, callback = self.image(), self.server.faults, self.callback
        if callback is None or self.server.ticks - 1 == faults.skipped_after:
            return
        images = [self.before, image] if faults.stale and self.before else [image]
        self.before = image

        def deliver() -> None:
            for one in images:
                callback(one)

        if faults.late:
            threading.Timer(faults.late, deliver).start()
        else:
            deliver()

    def image(self) -> Image:
        width, height = (self.blueprint.get_attribute(f"image_size_{a}").as_int() for a in "xy")
        pose = self.parent.transform
        values = pose.location.x * 50, pose.location.y * 50, pose.rotation.yaw * 5
        bgra = numpy.full((height, width, 4), 255, numpy.uint8)
        for channel, value in enumerate(values):
            bgra[:, :, channel] = int(value) % 200
            bgra[int(value) % height, :, channel] = 255
        return Image(self.server.frame, width, height, bgra.tobytes())
