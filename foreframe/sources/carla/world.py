"""One episode in CARLA: enter a fresh world in synchronous mode, drive, leave it as it was found.

The package `carla` is handed in as `library`, so that only what records loads it. Every error of
the server becomes a `LostError`, after which the episode is to begin anew.
"""

import contextlib
import math
import queue
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import Row
from foreframe.sources.carla.settings import RANDOM, Drive

# CARLA's ranges: steer -1 (left) to 1, the others 0 to 1.
ACTIONS = ("steer", "throttle", "brake")

# speed: metres a second; x, y: metres on CARLA's map; heading: radians from x towards y, which is
# clockwise from above since CARLA's axes are left-handed.
STATES = ("speed", "x", "y", "heading")

# Seconds for each request on the way out: a server that is gone must not hold up the next try.
LEAVING = 10.0


class LostError(Exception):
    """The server is gone, hangs, or left out an image."""


@dataclass(frozen=True)
class Journey:
    """The random part of an episode.

    Attributes:
        traffic_seed: of CARLA's traffic manager.
        generator: of the places, the vehicles and the weather.
    """

    traffic_seed: int
    generator: numpy.random.Generator


def connect(library: Any, drive: Drive) -> Any:
    """Return a `carla.Client` of a server of the same version that has the town and the weather.

    Raises:
        UserError: it has not, or is of another version.
        LostError: there is no answer.
    """
    with _answering():
        client = library.Client(drive.host, drive.port)
        client.set_timeout(drive.timeout)
        ours, theirs = client.get_client_version(), client.get_server_version()
        if ours != theirs:
            raise UserError(
                f"The CARLA server at {drive.host}:{drive.port} has version {theirs}, the package "
                f"carla has {ours}. Start a server {ours}, or run: python -m pip install "
                f"carla=={theirs} (or the wheel in the server's PythonAPI/carla/dist)"
            )
        towns = sorted({path.rpartition("/")[2] for path in client.get_available_maps()})
    if drive.town not in towns:
        raise UserError(
            f"The CARLA server has no town {drive.town} (source.town). It has: {', '.join(towns)}."
        )
    if drive.weather not in (RANDOM, *_presets(library)):
        raise UserError(
            f"CARLA has no weather {drive.weather} (source.weather). It has: {RANDOM}, "
            f"{', '.join(_presets(library))}."
        )
    return client


def record(library: Any, drive: Drive, journey: Journey) -> Generator[Row, None, None]:
    """Yield the frames of one episode, each with the mean control until the next, and the state.

    However it ends, the actors are destroyed and the settings of the world are put back.

    Raises:
        UserError: as `connect`, or there is no such vehicle, or no room for so many.
        LostError: the server was lost on the way.
    """
    with _answering(), contextlib.ExitStack() as leaving:
        client = connect(library, drive)
        world = _enter(client, drive, leaving)
        traffic = _traffic(client, drive, journey.traffic_seed, leaving)
        world.set_weather(_weather(library, drive, journey.generator))
        car = _populate(library, client, world, traffic, drive, journey.generator, leaving)
        camera = _Camera(library, client, world, car, drive, leaving)
        leaving.callback(client.set_timeout, min(LEAVING, drive.timeout))
        camera.warm_up(drive.warm_up_steps)
        yield from _rows(drive, car, camera)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    # The package knows no other exception for what goes wrong at the other end.
    try:
        yield
    except RuntimeError as error:
        raise LostError(str(error)) from error


def _presets(library: Any) -> list[str]:
    kind = library.WeatherParameters
    # `Default` leaves the weather to the map.
    return [name for name in sorted(vars(kind)) if isinstance(getattr(kind, name), kind)]


def _weather(library: Any, drive: Drive, generator: numpy.random.Generator) -> Any:
    names = [name for name in _presets(library) if name != "Default"]
    # Drawn in any case: the places and cars of an episode do not depend on the setting.
    drawn = names[generator.integers(len(names))]
    return getattr(library.WeatherParameters, drawn if drive.weather == RANDOM else drive.weather)


def _enter(client: Any, drive: Drive, leaving: contextlib.ExitStack) -> Any:
    world = client.get_world()
    found, wanted = world.get_settings(), world.get_settings()
    if found.synchronous_mode:
        # A program that was killed left it so; nobody would tick the server after us.
        found.synchronous_mode, found.fixed_delta_seconds = False, None
    # Of the world there is then: this one ends when the town is loaded.
    leaving.callback(lambda: client.get_world().apply_settings(found))
    wanted.synchronous_mode, wanted.fixed_delta_seconds = True, drive.step
    wanted.deterministic_ragdolls = True
    world.apply_settings(wanted)
    # A used world keeps traces of the last drive, and traffic lights in any state. CARLA repeats
    # itself only if it is synchronous before the town is loaded.
    return client.load_world(drive.town, reset_settings=False)


def _traffic(client: Any, drive: Drive, seed: int, leaving: contextlib.ExitStack) -> Any:
    traffic = client.get_trafficmanager(drive.traffic_port)
    # Until it is shut down the server believes in it, and the next one would look for it.
    leaving.callback(traffic.shut_down)
    traffic.set_synchronous_mode(mode_switch=True)
    # Before the vehicles register: each then takes its own generator from this seed.
    traffic.set_random_device_seed(seed)
    return traffic


def _populate(
    library: Any,
    client: Any,
    world: Any,
    traffic: Any,
    drive: Drive,
    generator: numpy.random.Generator,
    leaving: contextlib.ExitStack,
) -> Any:
    """Fill the town with vehicles on autopilot and return the one that carries the camera."""
    blueprints = world.get_blueprint_library()
    places = world.get_map().get_spawn_points()
    order = iter(generator.permutation(len(places)).tolist())
    kinds = [_ego(blueprints, drive.vehicle)]
    cars = sorted(
        (
            kind
            for kind in blueprints.filter("vehicle.*")
            if kind.get_attribute("number_of_wheels").as_int() == 4
        ),
        key=lambda kind: kind.id,
    )
    kinds += [cars[pick] for pick in generator.integers(len(cars), size=drive.other_vehicles)]
    vehicles: list[Any] = []
    leaving.callback(_destroy, library, client, vehicles)
    for kind in kinds:
        vehicle = None
        while vehicle is None:
            place = next(order, None)
            if place is None:
                raise UserError(
                    f"{drive.town} had room for {len(vehicles)} vehicles only, of "
                    f"{len(kinds)} with the one that films. Lower source.other_vehicles."
                )
            vehicle = world.try_spawn_actor(kind, places[place])
        vehicles.append(vehicle)
    for vehicle in vehicles:
        vehicle.set_autopilot(enabled=True, tm_port=traffic.get_port())
    return vehicles[0]


def _ego(blueprints: Any, name: str) -> Any:
    try:
        blueprint = blueprints.find(name)
    except IndexError:
        raise UserError(
            f"CARLA has no vehicle {name} (source.vehicle). See its catalogue of vehicles."
        ) from None
    # On large maps the land is loaded around the vehicle of this name.
    blueprint.set_attribute("role_name", "hero")
    return blueprint


def _destroy(library: Any, client: Any, actors: list[Any]) -> None:
    commands = [library.command.DestroyActor(actor.id) for actor in actors]
    client.apply_batch_sync(commands, do_tick=False)


class _Camera:
    """The camera on the car: a step of the world gives the image of that step, never another."""

    def __init__(
        self,
        library: Any,
        client: Any,
        world: Any,
        car: Any,
        drive: Drive,
        leaving: contextlib.ExitStack,
    ) -> None:
        self.world, self.timeout = world, drive.timeout
        self.images: queue.Queue[Any] = queue.Queue()
        self.before: int | None = None
        blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
        blueprint.set_attribute("image_size_x", str(drive.width))
        blueprint.set_attribute("image_size_y", str(drive.height))
        blueprint.set_attribute("fov", str(drive.camera.field_of_view))
        # An image of every step: other periods drift against the steps (carla issue 3653).
        blueprint.set_attribute("sensor_tick", "0.0")
        pose = drive.camera
        sensor = world.spawn_actor(
            blueprint,
            library.Transform(
                library.Location(x=pose.forward, y=pose.right, z=pose.up),
                library.Rotation(pitch=pose.pitch, yaw=pose.yaw),
            ),
            attach_to=car,
        )
        leaving.callback(_destroy, library, client, [sensor])
        # Destroying a sensor that listens crashes the client.
        leaving.callback(sensor.stop)
        sensor.listen(self.images.put)

    def warm_up(self, steps: int) -> None:
        """Let time pass; what the camera sees is dropped."""
        for _ in range(steps):
            self._tick()
            while not self.images.empty():
                self.images.get_nowait()

    def step(self) -> Any:
        """Let one step pass and return its image."""
        frame = self._tick()
        try:
            while (image := self.images.get(timeout=self.timeout)).frame < frame:
                pass  # of an earlier step, and late
        except queue.Empty:
            raise LostError(f"no image of step {frame} within {self.timeout} s") from None
        if image.frame != frame:
            raise LostError(f"the camera left out step {frame}")
        return image

    def _tick(self) -> int:
        frame = self.world.tick(self.timeout)
        if self.before is not None and frame != self.before + 1:
            raise LostError("another program speaks to the server, and lets time pass as well")
        self.before = frame
        return frame


def _rows(drive: Drive, car: Any, camera: _Camera) -> Iterator[Row]:
    image = camera.step()
    for _ in range(drive.frames_per_episode):
        frame, now, taken = _pixels(image), _state(car), []
        for _ in range(drive.steps_per_frame):
            image = camera.step()
            # What a step leaves behind is the control that it was driven with.
            control = car.get_control()
            taken.append((control.steer, control.throttle, control.brake))
        yield frame, numpy.mean(taken, axis=0), now


def _pixels(image: Any) -> NDArray[numpy.uint8]:
    """Return the RGB pixels, uint8 (height, width, 3), of an image in BGRA."""
    bgra = numpy.frombuffer(image.raw_data, numpy.uint8).reshape(image.height, image.width, 4)
    return bgra[..., 2::-1].copy()


def _state(car: Any) -> NDArray[numpy.float64]:
    velocity, pose = car.get_velocity(), car.get_transform()
    speed = math.hypot(velocity.x, velocity.y, velocity.z)
    heading = math.radians(pose.rotation.yaw)
    return numpy.array([speed, pose.location.x, pose.location.y, heading])
